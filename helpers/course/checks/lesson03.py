"What the exercises on MNIST and plain SGD accept, and what they say to each mistake."

import contextlib
import copy
import inspect
import io

import torch
import torch.nn.functional as F
from torch import nn

from helpers.course.exercises import Hint, NotYet, compare, exercise, near


def _batches(rows_of_x, rows_of_y, drop_last=False):
    "Mini-batches; each function gives, from the order, the rows between two positions."

    def batches_of(x, y, bs, order):
        end = len(order) - len(order) % bs if drop_last else len(order)
        for first in range(0, end, bs):
            last = min(first + bs, end)
            yield x[rows_of_x(order, first, last)], y[rows_of_y(order, first, last)]

    return batches_of


def _in_order(order, first, last):
    return order[first:last]


def _as_they_lie(order, first, last):
    return torch.arange(first, last)


def _endless(x, y, bs, order):
    while True:
        yield from _batches(_in_order, _in_order)(x, y, bs, order)


def _rows(x, y, bs, order):
    for row in order:
        yield x[row], y[row]


def _batches_of_one(x, y, bs, order):
    return _batches(_in_order, _in_order)(x, y, 1, order)


def _first_batch(x, y, bs, order):
    "`return` in the place of `yield`."
    return next(iter(_batches(_in_order, _in_order)(x, y, bs, order)))


def _last_batch(x, y, bs, order):
    "`return` after the loop, in the place of `yield`."
    return list(_batches(_in_order, _in_order)(x, y, bs, order))[-1]


@exercise("03-data-loader", "mini-batches in a given order")
def check_data_loader(batches_of):
    x = torch.arange(10.0)[:, None] * 10
    y = torch.arange(10)
    order = torch.tensor([7, 3, 9, 0, 1, 8, 2, 5, 4, 6])
    compare(
        batches_of,
        examples=[(x, y, 4, order), (x, y, 3, order.flip(0))],
        right=_batches(_in_order, _in_order),
        wrong={
            "You return one batch, and that ends the function. "
            "With `yield` it hands out a batch and goes on.": (_first_batch, _last_batch),
            "Each item should be a batch of rows; yours is a single row. Take `bs` rows at once.": (
                _rows,
                _batches_of_one,
            ),
            "The batches never end. One epoch shows each row once.": _endless,
            "The last two rows are never shown: 10 rows make batches of 4, 4 and 2.": (
                _batches(_in_order, _in_order, drop_last=True)
            ),
            "Pictures and labels no longer belong together: take the same rows of x and of y.": (
                _batches(_in_order, _as_they_lie),
                _batches(_as_they_lie, _in_order),
            ),
            "You walk through the rows as they lie. Take them in the order given.": (
                _batches(_as_they_lie, _as_they_lie)
            ),
        },
        returns=(
            "something to loop over, with a pair for each batch, its rows of x and its rows of y: "
            "three pairs for 10 rows in batches of 4. Use `yield` for each, or return a list"
        ),
    )


def _unwritten(layer):
    "True if `forward` still raises NotImplementedError."
    try:
        layer(torch.zeros(1, 784))
    except NotImplementedError:
        return True
    except Exception:  # it has been begun
        return False
    return False


@exercise("03-my-linear", "an affine layer as a module", "inputs, outputs", forward="xb")
def check_my_linear(MyLinear):
    torch.manual_seed(0)
    try:
        layer = MyLinear(784, 10)
    except AttributeError as error:
        if "Module.__init__" in str(error):
            raise Hint(
                "The first line of `__init__` should be `super().__init__()`: "
                "it makes the place where parameters are registered."
            ) from None
        raise
    if any(isinstance(part, nn.Linear) for part in layer.modules()):
        raise Hint(
            "That uses `nn.Linear`, and you are asked to rebuild it: make weight and bias "
            "yourself, each an `nn.Parameter`."
        )
    shapes = sorted(list(p.shape) for p in layer.parameters())
    if not shapes:
        if MyLinear.forward is nn.Module.forward or _unwritten(layer):
            raise NotYet(
                "Write your answer in the cell above: parameters in `__init__`, outputs in "
                "`forward`. Then run the cell again."
            )
        raise Hint(
            "`parameters()` is empty, so nothing would be learned. "
            "Wrap weight and bias in `nn.Parameter`."
        )
    if len(shapes) > 1 and [10] not in shapes:
        raise Hint(
            "The bias needs one number for each output, shape [10]; "
            f"your parameters have shapes {shapes}."
        )
    if [10] not in shapes:
        raise Hint("There is no bias among the parameters: one number for each output.")
    if [784, 10] in shapes:
        raise Hint(
            "PyTorch keeps the weight as [outputs, inputs], here [10, 784]; yours is turned round."
        )
    if shapes != [[10], [10, 784]]:
        raise Hint(f"The parameters should have shapes [10, 784] and [10]; yours have {shapes}.")
    bias, weight = sorted(layer.parameters(), key=lambda p: p.ndim)
    deviation = float(weight.detach().std())
    if deviation == 0:
        raise Hint(
            "All weights start equal. Two hidden units that start equal stay equal for ever; "
            "start from random numbers."
        )
    if deviation > 0.3:
        raise Hint(
            "The weights start too large: with 784 inputs the outputs come out near 28. "
            "Divide by the root of the number of inputs."
        )
    with torch.no_grad():
        bias.copy_(torch.arange(10.0))
    xb = torch.rand(5, 784)
    outputs = layer(xb)
    if outputs is None:
        raise Hint("`forward` returned None; it should return the outputs.")
    if near(outputs, xb @ weight.T):
        raise Hint("The bias is there but is not added.")
    if not near(outputs, F.linear(xb, weight, bias)):
        raise Hint(
            "The outputs differ from `F.linear(xb, weight, bias)`; "
            f"yours have shape {list(outputs.shape)}, wanted is [5, 10] with xb @ weight.T + bias."
        )


def _plain_sgd(model, batches, lr, loss_of=F.cross_entropy):
    "Losses of plain SGD, a number for each batch, and the parameters after each step."
    model = copy.deepcopy(model)
    losses = []
    states = []
    for xb, yb in batches:
        loss = loss_of(model(xb), yb)
        model.zero_grad()
        loss.backward()
        # not with `torch.optim`, whose first use imports a compiler for seconds
        with torch.no_grad():
            for p in model.parameters():
                p -= lr * p.grad
        losses.append(loss.item())
        states.append(copy.deepcopy(list(model.parameters())))
    return losses, states


# Losses that are often taken instead of cross-entropy of the outputs, with their hints.
_OTHER_LOSSES = {
    "`F.cross_entropy` wants the outputs as they are: it takes the softmax itself. "
    "Leave the softmax out.": (
        lambda outputs, targets: F.cross_entropy(outputs.softmax(1), targets),
        lambda outputs, targets: F.cross_entropy(outputs.log_softmax(1).exp(), targets),
    ),
    "That is the step for a squared error. The loss should be `F.cross_entropy`.": (
        lambda outputs, targets: F.mse_loss(outputs, F.one_hot(targets, outputs.shape[1]).float()),
    ),
    "Your loss is the sum over the rows. Take the mean, as `F.cross_entropy` does by itself.": (
        lambda outputs, targets: F.cross_entropy(outputs, targets, reduction="sum"),
    ),
    "The outputs went through a ReLU before the loss. Take them as the model gives them.": (
        lambda outputs, targets: F.cross_entropy(outputs.relu(), targets),
    ),
}


def _hint_of_the_loss(parameters, model, batch, lr):
    "A `Hint` if these parameters are those after a step with another loss."
    for hint, losses in _OTHER_LOSSES.items():
        for loss_of in losses:
            _, [state] = _plain_sgd(model, [batch], lr, loss_of)
            if near(parameters, state):
                raise Hint(hint)


def _uses_an_optimizer(function):
    "True if the code of a function names an optimizer."
    code = getattr(function, "__code__", None)
    names = getattr(code, "co_names", ())
    return "optim" in names or "SGD" in names


def _try_step(train_step, model, xb, yb, lr):
    "One step of the answer; its usual errors in plain words."
    try:
        return train_step(model, xb, yb, lr)
    except TypeError as error:
        if "NoneType" not in str(error):
            raise
        raise Hint("`.grad` is still None: did you call `backward` before you used it?") from None
    except RuntimeError as error:
        text = str(error)
        unsupported = isinstance(error, NotImplementedError)
        if unsupported or "argument" in text or "expected" in text.lower():
            raise Hint(
                f"PyTorch cannot use these arguments ({text[:70]} …). "
                "In `F.cross_entropy` the outputs come first, then the targets."
            ) from None
        if "leaf" in text:
            raise Hint(
                "PyTorch refuses: it would have to differentiate through the update. "
                "Put the update under `with torch.no_grad():`."
            ) from None
        raise


@exercise("03-training-step", "forward, loss, backward, update, zero", "model, xb, yb, lr")
def check_training_step(train_step):
    torch.manual_seed(0)
    model = nn.Linear(6, 3)
    lr = 0.5
    batches = [(torch.randn(8, 6), torch.randint(3, (8,))) for _ in range(3)]
    losses, states = _plain_sgd(model, batches, lr)
    untrained = copy.deepcopy(model)
    start = list(untrained.parameters())
    result = _try_step(train_step, model, *batches[0], lr)
    parameters = list(model.parameters())
    if near(parameters, start):
        raise Hint(
            "The parameters did not move. `p = p - …` makes a new tensor; change the old one "
            "in place, with `p -= …` or `p.sub_(…)`. "
            "(Or was the gradient zeroed before it was used?)"
        )
    uphill = [2 * before - after for before, after in zip(start, states[0])]
    if near(parameters, uphill):
        raise Hint("You walk uphill: subtract the gradient.")
    if not near(parameters, states[0]):
        _hint_of_the_loss(parameters, untrained, batches[0], lr)
    if torch.is_tensor(result):
        raise Hint(
            "A plain number is asked for, and a tensor drags along the record of how it was "
            "computed. Return `loss.item()`."
        )
    if not near(parameters, states[0]):
        raise Hint(
            "After one step the parameters are not where plain SGD puts them: p - lr · gradient."
        )
    if not near(result, losses[0]):
        raise Hint(
            "The step is right; the number returned should be the loss before it, "
            f"{losses[0]:.4f}, and is {result:.4f}."
        )
    if _uses_an_optimizer(inspect.unwrap(train_step)):
        raise Hint(
            "That works, but it is the optimizer's update. Here you write it yourself: "
            "subtract lr times `.grad` from each parameter."
        )
    for xb, yb in batches[1:]:
        _try_step(train_step, model, xb, yb, lr)
    if not near(list(model.parameters()), states[-1]):
        raise Hint(
            "The first step is right, the next are not: the gradients of the step before are "
            "still there, and `backward` adds to them. Zero them."
        )


def _dead(is_zero, dim=0, combine=torch.all):
    "Counts columns, or rows, by what ReLU makes 0."

    def count_dead(before_relu):
        return combine(is_zero(before_relu), dim).sum().item()

    return count_dead


def _off(before_relu):
    return before_relu <= 0


@exercise("03-dead-units", "counting dead units")
def check_dead_units(count_dead):
    # one unit is off everywhere, one is exactly 0 everywhere, one is off for a single row
    layer = torch.tensor(
        [
            [-1.0, 0.5, 0.0, -0.2, 3.0, -0.1],
            [-0.3, 0.1, 0.0, 0.7, 2.0, -2.0],
            [-2.0, 0.4, 0.0, -0.5, 1.0, -0.4],
        ]
    )
    all_off_row = torch.tensor([[-1.0, -0.5], [1.0, -1.0], [-1.0, 2.0], [-0.1, -0.2]])
    compare(
        count_dead,
        examples=[(layer,), (all_off_row,), (torch.cat([layer, -layer]),)],
        right=_dead(_off),
        wrong={
            "You count units that are off for *some* picture. "
            "A dead unit is off for all of them.": _dead(_off, combine=torch.any),
            "You count pictures (rows). Go down the columns: `all(0)`.": _dead(_off, 1),
            "You count every 0, unit by unit and picture by picture. "
            "Ask first whether a whole column is 0.": lambda t: (t <= 0).sum().item(),
            "Those are the units that work for some picture. The others are dead.": (
                lambda t: (t > 0).any(0).sum().item()
            ),
            "You look for activations of exactly 0 before ReLU. "
            "ReLU makes all negative ones 0 as well.": _dead(lambda t: t == 0),
            "An activation of exactly 0 stays 0: compare with `<= 0`.": _dead(lambda t: t < 0),
            "You count units whose *mean* is below 0. "
            "One picture with a positive activation is enough to be alive.": (
                lambda t: (t.mean(0) <= 0).sum().item()
            ),
            "That is the fraction of dead units. Asked for is their number.": (
                lambda t: (t <= 0).all(0).double().mean().item()
            ),
        },
        returns="a number",
    )


def mystery_runs(
    x: torch.Tensor,  # pictures, float32 [n, 784]
    y: torch.Tensor,  # their labels, int64 [n]
) -> dict:  # letter to the losses of five epochs, a number for each batch
    "Five trainings of a net with 50 hidden units. What was done stands in the solution."
    generator = torch.Generator().manual_seed(7)
    other = y[torch.randperm(len(y), generator=generator)]
    return {
        "A": _run(x, y, 0.005),
        "B": _run(x, y, 0.05, zero=False),
        "C": _run(x, other, 0.1),
        "D": _run(x, y, 0.1),
        "E": _run(x, y, 4.0),
    }


def _net(generator):
    "Parameters of 784-50-10, started as PyTorch starts them."

    def uniform(*shape, inputs):
        start = (torch.rand(*shape, generator=generator) * 2 - 1) / inputs**0.5
        return start.requires_grad_()

    return [
        uniform(50, 784, inputs=784),
        uniform(50, inputs=784),
        uniform(10, 50, inputs=50),
        uniform(10, inputs=50),
    ]


def _outputs(parameters, x):
    weight, bias, second_weight, second_bias = parameters
    return F.linear(F.linear(x, weight, bias).relu(), second_weight, second_bias)


def _run(x, y, lr, bs=64, epochs=5, zero=True, seed=7, parameters=None):
    "The losses of plain SGD; `parameters`, if given, are trained in place."
    generator = torch.Generator().manual_seed(seed)
    start = _net(generator)
    parameters = start if parameters is None else parameters
    totals = [torch.zeros_like(p) for p in parameters]
    losses = []
    for _ in range(epochs):
        for rows in torch.randperm(len(x), generator=generator).split(bs):
            loss = F.cross_entropy(_outputs(parameters, x[rows]), y[rows])
            gradients = torch.autograd.grad(loss, parameters)
            with torch.no_grad():
                for p, gradient, total in zip(parameters, gradients, totals):
                    if zero:
                        total.zero_()
                    total += gradient
                    p -= lr * total
            losses.append(loss.item())
    return losses


_CAUSES = {
    "as it should be": "D",
    "learning rate too low": "A",
    "learning rate too high": "E",
    "gradients never zeroed": "B",
    "labels of other pictures": "C",
}
_LOOK_AGAIN = {
    ("as it should be", "A"): "A falls, but in five epochs it hardly leaves 2.3.",
    ("as it should be", "B"): "B falls well at first, but then it swings up again and again.",
    ("learning rate too low", "C"): "C does not fall at all: it stays at 2.3, up and down. "
    "With a low learning rate the loss falls, only slowly.",
    ("learning rate too low", "D"): "D has come down to a low loss within the five epochs.",
    ("learning rate too high", "B"): "B leaves 2.3 downwards and learns for a while. "
    "A learning rate that is far too high throws the loss up within the first batches.",
    ("learning rate too high", "C"): "C never leaps. It begins at 2.3 and stays there.",
    ("gradients never zeroed", "E"): "E leaps at once and then lies still: its units are dead. "
    "Gradients that add up do good at first, and harm later.",
    ("labels of other pictures", "A"): "A falls slowly but steadily, so it does find something "
    "to learn.",
    ("labels of other pictures", "E"): "E leaps out of the picture at the beginning. "
    "Wrong labels throw nothing: there is only nothing to learn.",
}


@exercise("03-curves", "five mystery curves")
def check_curves(causes):
    if not isinstance(causes, dict) or set(causes) != set(_CAUSES):
        raise Hint(f"Give a letter for each of: {', '.join(_CAUSES)}.")
    letters = {cause: str(letter).strip().upper() for cause, letter in causes.items()}
    if set(letters.values()) - set("ABCDE"):
        raise Hint("The answers are letters from A to E, in quotes.")
    if len(set(letters.values())) < 5:
        raise Hint("Each curve has a cause of its own: use each letter once.")
    wrong = [cause for cause in _CAUSES if letters[cause] != _CAUSES[cause]]
    for cause in wrong:
        if hint := _LOOK_AGAIN.get((cause, letters[cause])):
            raise Hint(hint)
    if wrong:
        raise Hint(f"Look again at {letters[wrong[0]]}: it is not the one with {wrong[0]!r}.")


def _train_new(make_model, batches, lr, zero=True, keep=True):
    "What the function of the bug exercise should do, or does with mistakes."
    model = make_model()
    for xb, yb in batches:
        loss = F.cross_entropy(model(xb), yb)
        if zero:
            model.zero_grad()
        loss.backward()
        with torch.no_grad():
            for p in model.parameters():
                p -= lr * p.grad
    return model if keep else make_model()


@exercise("03-bug", "a training that learns nothing", "make_model, batches, lr")
def check_bug(train_new):
    torch.manual_seed(0)
    x = torch.randn(256, 6)
    batches = list(zip(x.split(32), x[:, :3].argmax(1).split(32)))
    first = nn.Linear(6, 3)
    second = nn.Linear(6, 3)
    made = []

    def make_model():
        made.append(copy.deepcopy(first if not made else second))
        return made[-1]

    with contextlib.redirect_stdout(io.StringIO()):
        model = train_new(make_model, batches, 0.5)
    if not isinstance(model, nn.Module):
        raise Hint("Return the model that was trained.")
    if len(made) > 1:
        if near(list(model.parameters()), list(second.parameters())):
            raise NotYet(
                "The model that comes back has not moved. Look after `backward`: which parameters "
                "have a `.grad`, and which ones does `step` move? Then change the function in the "
                "cell above."
            )
        raise Hint("There are still two models: call `make_model()` once.")
    if not made:
        raise Hint("Make the model with `make_model()`, inside the function.")
    result = list(model.parameters())
    if near(result, list(first.parameters())):
        raise Hint(
            "Now there is one model, but it has not moved. Each batch needs `backward` and `step`, "
            "and `zero_grad` only after `step`."
        )
    made.clear()
    if near(result, list(_train_new(make_model, batches, 0.5, zero=False).parameters())):
        raise Hint("The gradients are no longer zeroed: each step follows the sum of all so far.")
    made.clear()
    if near(result, list(_train_new(make_model, batches[-1:], 0.5).parameters())):
        raise Hint("Only the last batch makes a step. Does the update stand outside of the loop?")
    made.clear()
    if near(result, list(_train_new(make_model, batches[:1], 0.5).parameters())):
        raise Hint("Only the first batch makes a step. Does the function return inside the loop?")
    made.clear()
    if not near(result, list(_train_new(make_model, batches, 0.5).parameters()), 1e-4):
        raise Hint("It learns, but it does not end where plain SGD with this lr ends.")


def _misread(digits, lr, bs):
    "Misread validation pictures after one epoch with 5,000, the mean of three seeds."
    (x, y), (valid_x, valid_y) = digits.train, digits.valid
    x, y = x[:5000], y[:5000]
    wrong = []
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        parameters = _net(generator)
        _run(x, y, lr, bs, epochs=1, seed=seed, parameters=parameters)
        with torch.no_grad():
            readings = _outputs(parameters, valid_x).argmax(1)
        wrong.append((readings != valid_y).double().mean().item())
    return sum(wrong) / len(wrong)


@exercise("03-one-epoch", "one epoch with 5,000 pictures")
def check_one_epoch(entry):
    try:
        digits, numbers = entry
        lr, bs = numbers["lr"], numbers["bs"]
    except (TypeError, ValueError, KeyError):
        raise Hint('An entry is a pair: (mnist, {"lr": 0.2, "bs": 64}), for instance.') from None
    if lr is ... or bs is ...:
        raise NotYet(
            "Write a learning rate and a batch size in the cell above, each in place of `...`, "
            "and run the cell again."
        )
    try:
        lr = float(lr)
        whole = int(bs)
    except (TypeError, ValueError):
        raise Hint("`lr` and `bs` should be numbers, for instance 0.2 and 64.") from None
    if not lr > 0:
        raise Hint("The learning rate should be larger than 0: below it the loss rises.")
    if whole != bs or not 1 <= bs <= 5000:
        raise Hint("The batch size should be a whole number from 1 to 5000.")
    if bs < 8:
        raise Hint("Batches of fewer than 8 rows take too long here. Take at least 8.")
    bs = whole
    if callable(digits):
        digits = digits()
    torch.set_num_threads(1)  # nets this small gain nothing from a second core
    baseline = _misread(digits, 0.2, 64)
    misread = _misread(digits, lr, bs)
    score = (
        f"It misreads {misread:.1%} of the validation pictures; with 0.2 and 64 it is "
        f"{baseline:.1%} (mean of three seeds)."
    )
    if misread <= 0.5 * baseline:
        return f"{score} Can you get lower?"
    if misread > 0.6:
        raise Hint(f"{score} That diverged, or it hardly moved: try another learning rate.")
    updates = -(-5000 // bs)
    if updates < 79:
        raise Hint(
            f"{score} One epoch has only {updates} updates now. "
            "What makes more of them out of 5,000 pictures?"
        )
    if updates == 79:
        raise Hint(
            f"{score} With batches of 64, one epoch has 79 updates. "
            "What makes more of them out of 5,000 pictures?"
        )
    raise Hint(
        f"{score} There are {updates} updates now. Small batches have noisy gradients: "
        "look for the learning rate that suits them, higher or lower."
    )
