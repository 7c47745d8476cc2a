"What the exercises on weight decay, dropout and batch norm accept, and what they say to mistakes."

import torch
import torch.nn.functional as F
from torch import nn

from helpers.course.exercises import Hint, NotYet, compare, exercise, read_entry


def _descent(direction):
    "A step against a direction, made of weight, gradient and wd."
    return lambda weight, gradient, lr, wd: weight - lr * direction(weight, gradient, wd)


def _decayed_step(weight, gradient, lr, wd):
    return weight - lr * (gradient + 2 * wd * weight)


def _after_moving(factor):
    "Plain descent, and then the decay."

    def step(weight, gradient, lr, wd):
        moved = weight - lr * gradient
        return moved - lr * factor * wd * moved

    return step


@exercise("08-decay", "weight decay moved from the loss to the update")
def check_decay(decayed_step):
    weight = torch.tensor([1.0, -2.0, 0.5])
    gradient = torch.tensor([0.3, 0.1, -0.4])
    compare(
        decayed_step,
        examples=[(weight, gradient, 0.1, 0.07), (weight, gradient, 0.3, 0.03)],
        right=_decayed_step,
        wrong={
            "This makes the weights grow. The gradient of the penalty is *added* to the gradient; "
            "the step goes against both.": (
                _descent(lambda w, g, wd: g - 2 * wd * w),
                _descent(lambda w, g, wd: g - wd * w),
            ),
            "You walk uphill: the step goes against the gradient.": (
                _descent(lambda w, g, wd: -g - 2 * wd * w)
            ),
            "The 2 is lost. The derivative of wd * w**2 is 2 * wd * w, "
            "and wd is to stay the one of the penalty.": _descent(lambda w, g, wd: g + wd * w),
            "`wd` is not used: the gradient of the penalty is 2 * wd * weight.": (
                _descent(lambda w, g, wd: g + w),
                _descent(lambda w, g, wd: g + 2 * w),
            ),
            "The learning rate is missing from the decay: the penalty was part of the loss, "
            "so its gradient is multiplied by lr like the rest.": (
                lambda w, g, lr, wd: w - lr * g - wd * w,
                lambda w, g, lr, wd: w - lr * g - 2 * wd * w,
            ),
            "You shrink the weight after it has moved. "
            "Both gradients belong to the weight as it was before the step.": (
                _after_moving(1),
                _after_moving(2),
            ),
            "That is plain descent; nothing decays.": _descent(lambda w, g, wd: g),
            "The weight decays, and the gradient of the loss is not used.": (
                _descent(lambda w, g, wd: 2 * wd * w)
            ),
            "You added the penalty itself. Its derivative belongs into the update.": (
                _descent(lambda w, g, wd: g + wd * w**2),
                _descent(lambda w, g, wd: g + wd * (w**2).sum()),
            ),
            "That is the derivative of the absolute value: the same pull on small and large "
            "weights. The penalty was squared.": _descent(lambda w, g, wd: g + wd * w.sign()),
            "You decay the gradient. It is the weight that should shrink.": (
                _descent(lambda w, g, wd: g + wd * g),
                _descent(lambda w, g, wd: g + 2 * wd * g),
            ),
        },
        tolerance=1e-6,
        returns="the new weight, a tensor of the shape of `weight`",
    )


def _carried(wd, lr, steps, new_lr, new_steps):
    return wd * lr * steps / (new_lr * new_steps)


def _carried_exactly(wd, lr, steps, new_lr, new_steps):
    "The height itself, (1 - lr * wd) ** steps, kept."
    return (1 - (1 - lr * wd) ** (steps / new_steps)) / new_lr


@exercise("08-carry", "wd carried over to another run")
def check_carry(carried):
    compare(
        carried,
        examples=[
            (0.1, 0.005, 7820, 0.02, 7820),
            (0.1, 0.005, 7820, 0.005, 1955),
            (0.03, 0.002, 500, 0.01, 3000),
        ],
        right=(_carried, _carried_exactly),
        wrong={
            "It is the other way round: more steps, or a higher learning rate, shrink the weight "
            "more, so they want a smaller wd.": (
                lambda wd, lr, steps, new_lr, new_steps: wd * new_lr * new_steps / (lr * steps)
            ),
            "The learning rate counts, too: each step takes away lr * wd.": (
                lambda wd, lr, steps, new_lr, new_steps: wd * steps / new_steps
            ),
            "The number of steps counts, too: in half as many steps a weight shrinks half as "
            "often.": lambda wd, lr, steps, new_lr, new_steps: wd * lr / new_lr,
            "wd stays only if lr * steps stays. Here it changes.": (
                lambda wd, lr, steps, new_lr, new_steps: wd
            ),
            "The learning rates are the right way round. The numbers of steps are not.": (
                lambda wd, lr, steps, new_lr, new_steps: wd * lr * new_steps / (new_lr * steps)
            ),
            "The numbers of steps are the right way round. The learning rates are not.": (
                lambda wd, lr, steps, new_lr, new_steps: wd * new_lr * steps / (lr * new_steps)
            ),
            "That is the product of the old run, lr * wd * steps. Divide it by what the new run "
            "has of it.": lambda wd, lr, steps, new_lr, new_steps: wd * lr * steps,
            "That is a time constant. Which wd makes lr * wd * steps the same in both runs?": (
                lambda wd, lr, steps, new_lr, new_steps: 1 / (lr * wd),
                lambda wd, lr, steps, new_lr, new_steps: 1 / (new_lr * wd),
            ),
        },
        returns="a single number, the new wd",
    )


def suspect_curves(
    epochs: int = 30,
) -> dict:  # letter to a pair of lists: training loss, validation loss
    """Curves of four trainings, made from formulas.

    One overfits, one has too much decay, one is not finished, and one was noted with dropout at
    work."""
    n = torch.arange(1.0, epochs + 1)
    generator = torch.Generator().manual_seed(0)

    def fall(low, high, pace):
        return low + (high - low) * (-n / pace).exp()

    def noisy(curve):
        return (curve + 0.012 * torch.randn(epochs, generator=generator)).tolist()

    rise = 0.017 * (n - 8).clamp(min=0)
    return {
        "A": (noisy(fall(0.95, 1.6, 3)), noisy(fall(0.99, 1.6, 3))),
        "B": (noisy(fall(0.1, 1.5, 14)), noisy(fall(0.25, 1.5, 17))),
        "C": (noisy(fall(0.6, 1.6, 5)), noisy(fall(0.45, 1.4, 5))),
        "D": (noisy(fall(0.02, 1.4, 5)), noisy(fall(0.45, 1.3, 3.5) + rise)),
    }


_CURVES = {"overfitting": "D", "too much decay": "A", "not finished": "B", "dropout": "C"}
_NO_OVERFITTING = {
    "A": "In A both losses are high and close together. "
    "A net that overfits has a low training loss.",
    "B": "B has a gap, and its validation loss still falls: more training helps it. "
    "Look for a validation loss that has turned upward.",
    "C": "In C the validation loss is the lower one. "
    "A net that overfits is better on what it was trained on.",
}


@exercise("08-curves", "which curve is overfitting")
def check_curves(verdict):
    if not isinstance(verdict, dict) or set(verdict) != set(_CURVES):
        raise Hint(f"Give a letter for each of: {', '.join(_CURVES)}.")
    verdict = {name: str(letter).strip().upper() for name, letter in verdict.items()}
    if any(letter not in list("ABCD") for letter in verdict.values()):
        raise Hint("Each is one letter from A to D, such as 'D'.")
    if verdict["overfitting"] in _NO_OVERFITTING:
        raise Hint(_NO_OVERFITTING[verdict["overfitting"]])
    if verdict["dropout"] != "C":
        raise Hint(
            "Dropout at work makes the net worse while it is at work: "
            "in which panel is the training loss *above* the validation loss?"
        )
    if verdict["too much decay"] != "A":
        raise Hint(
            "Too much decay shows in the training loss: the net is not allowed to fit "
            "what it sees, and more epochs change nothing."
        )
    if verdict != _CURVES:
        raise Hint("Each letter belongs to one of them.")


def loss_tables() -> dict:  # letter to a dictionary of three lists: wd, training, validation
    "Mean losses of three tasks, each with three sizes of wd."
    return {
        "A": {
            "wd": [0.001, 0.01, 0.1],
            "training": [0.021, 0.022, 0.034],
            "validation": [0.486, 0.479, 0.431],
        },
        "B": {
            "wd": [0.1, 1, 10],
            "training": [0.352, 0.811, 1.930],
            "validation": [0.371, 0.826, 1.934],
        },
        "C": {
            "wd": [0.01, 0.1, 1],
            "training": [0.101, 0.154, 0.243],
            "validation": [0.352, 0.312, 0.325],
        },
    }


@exercise("08-next", "the next wd, from three tables")
def check_next(next_wd):
    if not isinstance(next_wd, dict) or set(next_wd) != set("ABC"):
        raise Hint("Give a number for each of A, B and C.")
    try:
        a, b, c = (float(next_wd[letter]) for letter in "ABC")
    except (TypeError, ValueError):
        raise Hint("Each answer is one number, such as 0.5.") from None
    if min(a, b, c) < 0:
        raise Hint("With a wd below 0 the weights would grow.")
    for letter, wd in zip("ABC", (a, b, c)):
        if wd in loss_tables()[letter]["wd"]:
            raise Hint(f"{wd:g} has been tried in task {letter}. Choose another one.")
    if a < 0.1:
        raise Hint(
            "A: the validation loss falls towards the largest wd of the table. "
            "The best one may lie beyond this edge."
        )
    if a < 0.15:
        raise Hint("A: that is nearly 0.1 again. Take a larger step: a factor of 2 to 10.")
    if a > 2:
        raise Hint(
            "A: the right direction, and a long way: that is more than 20 times what was tried. "
            "Take a factor of 2 to 10."
        )
    if b > 0.1:
        raise Hint(
            "B: training and validation loss are both lowest at the smallest wd, and close "
            "together. The net is held back too much."
        )
    if b > 0.06:
        raise Hint("B: that is nearly 0.1 again. Take a larger step: a factor of 2 to 10.")
    if c < 0.01 or c > 1:
        raise Hint("C: the best wd is inside of what was tried. Look beside it.")
    if not (0.015 <= c <= 0.07 or 0.15 <= c <= 0.7):
        raise Hint(
            "C: that is nearly a wd that was tried. Take one that is about half way to a "
            "neighbour, by factors: 0.1 and 1 have 0.3 between them."
        )
    if c > 0.1:
        return (
            "C: above the best one. Its upper neighbour was the better one, so that is a good bet."
        )
    return (
        "C: below the best one. (Above it would be a better bet: the upper neighbour was better.)"
    )


def _for_pytorch(weight, bias, p):
    return weight * (1 - p), bias


@exercise("08-dropout", "a net with dropout of 2014")
def check_dropout(for_pytorch):
    generator = torch.Generator().manual_seed(0)
    examples = []
    for p in (0.25, 0.6):
        weight = torch.randn(3, 4, generator=generator)
        examples.append((weight, torch.randn(3, generator=generator), p))
    compare(
        for_pytorch,
        examples=examples,
        right=_for_pytorch,
        wrong={
            "The other way round: the paper's activations are *smaller* in evaluation.": (
                lambda w, b, p: (w / (1 - p), b)
            ),
            "The bias was never dropped. It is added after the activations have been multiplied: "
            "leave it as it is.": lambda w, b, p: (w * (1 - p), b * (1 - p)),
            "p is the probability of going. The paper multiplies by that of staying.": (
                lambda w, b, p: (w * p, b),
                lambda w, b, p: (w * p, b * p),
            ),
            "Then nothing has changed. The paper's activations are multiplied by 1 - p in "
            "evaluation, and PyTorch's are not: the weight has to do it.": lambda w, b, p: (w, b),
            "Only the bias has changed. It is the activations that were multiplied, and they meet "
            "the weight.": (
                lambda w, b, p: (w, b * (1 - p)),
                lambda w, b, p: (w, b / (1 - p)),
            ),
            "The other way round, and the bias stays as it is.": (
                lambda w, b, p: (w / (1 - p), b / (1 - p)),
                lambda w, b, p: (w / p, b),
            ),
            "No root: activations are multiplied by 1 - p, and weights as well.": (
                lambda w, b, p: (w * (1 - p) ** 0.5, b)
            ),
            "Nothing is dropped in evaluation. Draw no mask.": (
                lambda w, b, p: (F.dropout(w, 1 - 1e-9), b)
            ),
        },
        returns="two tensors, the new weight and the new bias",
    )


def _folded(weight, bias, mean, var, scale, shift, eps):
    factor = scale / (var + eps).sqrt()
    return weight * factor[:, None], (bias - mean) * factor + shift


def _misfolded(factor=None, new_weight=None, new_bias=None):
    "Folding with one of its three lines replaced."

    def folded(weight, bias, mean, var, scale, shift, eps):
        f = scale / (var + eps).sqrt()
        if factor:
            f = factor(var, scale, eps)
        w = weight * f[:, None]
        b = (bias - mean) * f + shift
        if new_weight:
            w = new_weight(weight, f)
        if new_bias:
            b = new_bias(bias, mean, f, shift)
        return w, b

    return folded


@exercise("08-batchnorm", "batch norm folded into a linear layer")
def check_batchnorm(folded):
    generator = torch.Generator().manual_seed(0)

    def some(*shape):
        return torch.randn(*shape, generator=generator)

    examples = []
    for inputs in (3, 5):  # a square weight, and one that is not
        var = some(3) ** 2 + 0.5
        examples.append((some(3, inputs), some(3), some(3), var, some(3), some(3), 0.5))
    compare(
        folded,
        examples=examples,
        right=_folded,
        wrong={
            "Each output has its own factor, and belongs to a *row* of `weight`. "
            "`weight * factor` multiplies the columns: make a column of the factors with "
            "`factor[:, None]`.": _misfolded(new_weight=lambda w, f: w * f),
            "The bias goes through batch norm, too: the mean has to be subtracted.": _misfolded(
                new_bias=lambda b, m, f, s: b * f + s
            ),
            "A bracket is missing: the mean is subtracted first, and then the factor multiplies "
            "the difference.": (
                _misfolded(new_bias=lambda b, m, f, s: b - m * f + s),
                _misfolded(new_bias=lambda b, m, f, s: b * f - m + s),
            ),
            "The bias of the linear layer is lost, or not multiplied by the factor.": (
                _misfolded(new_bias=lambda b, m, f, s: s - m * f),
                _misfolded(new_bias=lambda b, m, f, s: s),
            ),
            "`shift` is missing: batch norm adds it at the end.": _misfolded(
                new_bias=lambda b, m, f, s: (b - m) * f
            ),
            "`shift` is added after the factor, not before it.": _misfolded(
                new_bias=lambda b, m, f, s: (b - m + s) * f
            ),
            "The mean is subtracted, not added.": _misfolded(
                new_bias=lambda b, m, f, s: (b + m) * f + s
            ),
            "`scale` is missing from the factor.": _misfolded(
                factor=lambda var, scale, eps: 1 / (var + eps).sqrt()
            ),
            "You divide by the variance. Divide by its root.": _misfolded(
                factor=lambda var, scale, eps: scale / (var + eps)
            ),
            "eps stands outside the root. Batch norm adds it to the variance.": _misfolded(
                factor=lambda var, scale, eps: scale / (var.sqrt() + eps)
            ),
            "eps is missing: it is added to the variance, under the root.": _misfolded(
                factor=lambda var, scale, eps: scale / var.sqrt()
            ),
            "Only the bias has changed. The factor multiplies the whole output, so the weight "
            "needs it, too.": _misfolded(new_weight=lambda w, f: w),
            "Only the weight has changed. The bias goes through batch norm, too.": _misfolded(
                new_bias=lambda b, m, f, s: b
            ),
        },
        returns="two tensors, the new weight and the new bias",
    )


def _sgdw(velocity, weight):
    "Weights under SGD with momentum, from its two lines."

    def decayed_weights(gradients, lr=0.1, wd=0.1, beta=0.9):
        w = 1.0
        v = 0.0
        result = []
        for gradient in gradients:
            v = velocity(v, gradient, w, wd, beta)
            w = weight(w, v, lr, wd)
            result.append(w)
        return result

    return decayed_weights


def _clean(v, gradient, w, wd, beta):
    return beta * v + gradient


def _right_weight(w, v, lr, wd):
    return (1 - lr * wd) * w - lr * v


def _right_weights(gradients, lr=0.1, wd=0.1, beta=0.9):
    return _sgdw(_clean, _right_weight)(gradients, lr, wd, beta)


_IN_VELOCITY = (
    "The weight without gradients still falls much too fast. Where does `wd * weight` go, and what "
    "does momentum make of it? Change the function in the cell above."
)


@exercise("08-bug", "a bug in weight decay, found by its symptom")
def check_bug(decayed_weights):
    compare(
        decayed_weights,
        examples=[
            ([0.0] * 30,),
            ([1.0, -2.0, 0.5, 0.0, 3.0],),
            ([0.3, 0.3, -1.0], 0.2, 0.5, 0.8),
        ],
        right=_right_weights,
        wrong={
            _IN_VELOCITY: _sgdw(
                lambda v, g, w, wd, beta: beta * v + g + wd * w, lambda w, v, lr, wd: w - lr * v
            ),
            "The pace is nearly right now, but the decay still goes through the velocity. It "
            "should shrink the weight directly, whatever the velocity does.": _sgdw(
                lambda v, g, w, wd, beta: beta * v + g + (1 - beta) * wd * w,
                lambda w, v, lr, wd: w - lr * v,
            ),
            "Now nothing decays. Each step should multiply the weight by 1 - lr * wd.": _sgdw(
                _clean, lambda w, v, lr, wd: w - lr * v
            ),
            "Now the weight decays twice: directly, and through the velocity.": _sgdw(
                lambda v, g, w, wd, beta: beta * v + g + wd * w, _right_weight
            ),
            "The learning rate is missing: each step shrinks the weight by lr * wd.": _sgdw(
                _clean, lambda w, v, lr, wd: (1 - wd) * w - lr * v
            ),
            "The weight moves first and shrinks then. AdamW does it the other way round: multiply "
            "the old weight, and then subtract the move.": _sgdw(
                _clean, lambda w, v, lr, wd: (1 - lr * wd) * (w - lr * v)
            ),
            "Now the velocity shrinks. It is the weight that should.": _sgdw(
                lambda v, g, w, wd, beta: (1 - 0.1 * wd) * beta * v + g,
                lambda w, v, lr, wd: w - lr * v,
            ),
            "Now the weight grows: multiply by 1 - lr * wd.": _sgdw(
                _clean, lambda w, v, lr, wd: (1 + lr * wd) * w - lr * v
            ),
            "That is the damped form. The gradient had no factor 1 - beta to miss.": _sgdw(
                lambda v, g, w, wd, beta: beta * v + (1 - beta) * g, _right_weight
            ),
            "That is plain descent with decay. The velocity should stay.": _sgdw(
                lambda v, g, w, wd, beta: g, _right_weight
            ),
        },
        tolerance=1e-7,
        returns="a list with the weight after each step",
        as_found=_IN_VELOCITY,
    )


FEW = 1000  # digits for training


def _plain_training(x, y):
    "The net with 100 hidden units, 30 epochs of Adam, falling to 0 in a straight line."
    model = nn.Sequential(nn.Linear(x.shape[1], 100), nn.ReLU(), nn.Linear(100, 10))
    optimizer = torch.optim.Adam(model.parameters(), 0.005)
    updates = 30 * -(-len(x) // 125)
    done = 0
    for _ in range(30):
        for rows in torch.randperm(len(x)).split(125):
            optimizer.param_groups[0]["lr"] = 0.005 * (1 - done / updates)
            optimizer.zero_grad()
            F.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
            done += 1
    return model


def _misread(digits, training):
    "Misread validation pictures after training with a thousand, the mean of two seeds."
    (x, y), (valid_x, valid_y) = digits.train, digits.valid
    wrong = []
    for seed in range(2):
        torch.manual_seed(seed)
        model = training(x[:FEW].cpu().clone(), y[:FEW].cpu().clone())
        if not isinstance(model, nn.Module):
            raise Hint(
                f"`my_training` should return the trained model. It returned "
                f"{type(model).__name__}."
            )
        model = model.cpu().eval()
        with torch.no_grad():
            readings = model(valid_x.cpu()).argmax(1)
        wrong.append((readings != valid_y.cpu()).double().mean().item())
    return sum(wrong) / len(wrong)


@exercise("08-own", "the most from a thousand digits")
def check_own(entry):
    digits, my_training = read_entry(entry, "my_training")
    if callable(digits):
        digits = digits()
    torch.set_num_threads(1)  # nets this small gain nothing from a second core
    try:
        misread = _misread(digits, my_training)
    except NotImplementedError:
        raise NotYet("Write the function in the cell above, and run the cell again.") from None
    plain = _misread(digits, _plain_training)
    score = (
        f"It misreads {misread:.1%} of the validation pictures, and plain training {plain:.1%} "
        "(means of two seeds)."
    )
    if misread <= 0.75 * plain:
        return f"{score} Can you get lower?"
    if misread > 2 * plain:
        raise Hint(f"{score} That is hardly trained: try more epochs, or another learning rate.")
    if misread < 0.95 * plain:
        raise Hint(
            f"{score} Better than plain. Which of the lesson's remedies adds knowledge about "
            "digits?"
        )
    raise Hint(
        f"{score} No better than plain training. What else did the lesson try on 1,000 digits?"
    )
