"What the exercises on MNIST and plain SGD accept, and what they say to each mistake."

import copy

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


def _plain_sgd(model, batches, lr):
    "Losses of plain SGD, a number for each batch, and the parameters after each step."
    model = copy.deepcopy(model)
    losses = []
    states = []
    for xb, yb in batches:
        loss = F.cross_entropy(model(xb), yb)
        model.zero_grad()
        loss.backward()
        # not with `torch.optim`, whose first use imports a compiler for seconds
        with torch.no_grad():
            for p in model.parameters():
                p -= lr * p.grad
        losses.append(loss.item())
        states.append(copy.deepcopy(list(model.parameters())))
    return losses, states


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
    start = copy.deepcopy(list(model.parameters()))
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
    for xb, yb in batches[1:]:
        _try_step(train_step, model, xb, yb, lr)
    if not near(list(model.parameters()), states[-1]):
        raise Hint(
            "The first step is right, the next are not: the gradients of the step before are "
            "still there, and `backward` adds to them. Zero them."
        )
