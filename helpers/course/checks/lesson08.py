"What the exercises on weight decay, dropout and batch norm accept, and what they say to mistakes."

import torch
import torch.nn.functional as F

from helpers.course.exercises import Hint, compare, exercise


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


def _dropout(train, use=lambda x, p: x):
    "Dropout from what is done in training and what in evaluation."

    def my_dropout(x, keep, p, training):
        return train(x, keep, p) if training else use(x, p)

    return my_dropout


def _scaled(x, keep, p):
    return x * keep / (1 - p)


def _own_mask(x, keep, p):
    "What a mask drawn inside does where p leaves it no choice."
    return x * 0 if p > 0.5 else x / (1 - p)


@exercise("08-dropout", "dropout with a given mask")
def check_dropout(my_dropout):
    x = torch.tensor([[1.0, -2.0, 3.0, 4.0], [5.0, 6.0, 7.0, -8.0]])
    keep = torch.tensor([[1.0, 0.0, 0.0, 1.0], [1.0, 1.0, 0.0, 1.0]])
    compare(
        my_dropout,
        # with a p of 0 or nearly 1 a mask of one's own keeps all or nothing, whatever `keep` says
        examples=[
            (x, keep, 0.2, True),
            (x, keep, 0.2, False),
            (x, keep, 0.0, True),
            (x, keep, 1 - 1e-9, True),
        ],
        right=_dropout(_scaled),
        wrong={
            "You scale in evaluation, as the paper of 2014 did. Here, as in PyTorch, the scaling "
            "happens in training, and evaluation returns x as it is.": (
                _dropout(lambda x, keep, p: x * keep, lambda x, p: x * (1 - p))
            ),
            "The survivors are not scaled: on the average 1 - p of the sum is left. "
            "Divide by 1 - p.": _dropout(lambda x, keep, p: x * keep),
            "You divide by the share that goes. Divide by the share that stays, 1 - p.": (
                _dropout(lambda x, keep, p: x * keep / p)
            ),
            "You do not use `keep`; the mask is given. Draw none of your own.": (
                _dropout(lambda x, keep, p: x / (1 - p)),
                _dropout(_own_mask),
                lambda x, keep, p, training: F.dropout(x, p, training),
            ),
            "You multiply by 1 - p, which makes the sum smaller still. Divide.": (
                _dropout(lambda x, keep, p: x * keep * (1 - p))
            ),
            "The wrong ones are dropped: 1 in `keep` stays, 0 goes.": (
                _dropout(lambda x, keep, p: x * (1 - keep) / (1 - p)),
                _dropout(lambda x, keep, p: x * (1 - keep) / p),
            ),
            "You divide by the share kept in this draw. Divide by its expected value, 1 - p.": (
                _dropout(lambda x, keep, p: x * keep / keep.mean()),
                _dropout(lambda x, keep, p: x * keep / keep.mean(-1, keepdim=True)),
            ),
            "Nothing is dropped in training.": _dropout(lambda x, keep, p: x),
            "Right in training. In evaluation nothing should be dropped: look at `training`.": (
                lambda x, keep, p, training: _scaled(x, keep, p)
            ),
            "Right in training, which has done the scaling already. "
            "Evaluation returns x as it is.": (
                _dropout(_scaled, lambda x, p: x * (1 - p)),
                _dropout(_scaled, lambda x, p: x / (1 - p)),
            ),
        },
        returns="a tensor of the shape of `x`",
    )


def _norm(x, running_mean, running_var, weight, bias, eps):
    return (x - running_mean) / (running_var + eps).sqrt() * weight + bias


def _batch_norm(mean=False, variance=False, unbiased=False):
    "Batch norm that takes one of the statistics, or both, from the batch."

    def norm_in_use(x, m, v, w, b, eps):
        if mean:
            m = x.mean(0)
        if variance:
            v = x.var(0, unbiased=unbiased)
        return _norm(x, m, v, w, b, eps)

    return norm_in_use


@exercise("08-batchnorm", "batch norm in evaluation mode")
def check_batchnorm(norm_in_use):
    x = torch.tensor([[1.0, 20.0], [3.0, 10.0], [8.0, -3.0]])
    mean = torch.tensor([2.0, 5.0])
    variance = torch.tensor([4.0, 9.0])
    weight = torch.tensor([3.0, 0.5])
    bias = torch.tensor([-1.0, 2.0])
    rest = (mean, variance, weight, bias, 0.5)
    compare(
        norm_in_use,
        examples=[(x, *rest), (x[:1], *rest)],
        right=_norm,
        wrong={
            "You use the mean and variance of this batch. In evaluation the running ones are used, "
            "so that an answer does not depend on its neighbours.": (
                _batch_norm(mean=True, variance=True),
                _batch_norm(mean=True, variance=True, unbiased=True),
            ),
            "One of the two statistics is still taken from the batch.": (
                _batch_norm(mean=True),
                _batch_norm(variance=True),
                _batch_norm(variance=True, unbiased=True),
            ),
            "You divide by the variance. Divide by its root.": (
                lambda x, m, v, w, b, eps: (x - m) / (v + eps) * w + b
            ),
            "eps stands outside the root. Batch norm adds it to the variance.": (
                lambda x, m, v, w, b, eps: (x - m) / (v.sqrt() + eps) * w + b
            ),
            "eps is missing: a feature that never varied would be divided by zero.": (
                lambda x, m, v, w, b, eps: (x - m) / v.sqrt() * w + b
            ),
            "Normalised, and not yet scaled by `weight` and shifted by `bias`.": (
                lambda x, m, v, w, b, eps: (x - m) / (v + eps).sqrt()
            ),
            "`bias` is not added.": lambda x, m, v, w, b, eps: (x - m) / (v + eps).sqrt() * w,
            "`weight` is not used: the normalised activations are multiplied by it "
            "before the bias is added.": (
                lambda x, m, v, w, b, eps: (x - m) / (v + eps).sqrt() + b
            ),
            "A bracket is missing: subtract the mean first, "
            "then divide the difference by the root.": (
                lambda x, m, v, w, b, eps: x - m / (v + eps).sqrt() * w + b,
                lambda x, m, v, w, b, eps: (x - m / (v + eps).sqrt()) * w + b,
                lambda x, m, v, w, b, eps: (x - m / (v + eps).sqrt()) * w,
                lambda x, m, v, w, b, eps: x - m / (v + eps).sqrt() * w,
                lambda x, m, v, w, b, eps: x - m / (v + eps).sqrt(),
            ),
            "Scale first, then shift: the bias is not multiplied by the weight.": (
                lambda x, m, v, w, b, eps: ((x - m) / (v + eps).sqrt() + b) * w
            ),
        },
        returns="a tensor of the shape of `x`",
    )
