"What the exercises on weight decay, dropout and batch norm accept, and what they say to each mistake."

import torch

from helpers.course.exercises import Hint, exercise, near


@exercise("08-decay", "weight decay moved from the loss to the update")
def check_decay(decayed_step):
    kept = (
        torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64),
        torch.tensor([0.3, 0.1, -0.4], dtype=torch.float64),
    )
    for lr, wd in ((0.1, 0.07), (0.3, 0.03)):
        w, g = [
            part.clone() for part in kept
        ]  # fresh ones: an answer may use autograd, which leaves a .grad behind
        got = decayed_step(w, g, lr, wd)
        got, w = torch.as_tensor(got).detach(), w.detach()
        right = w - lr * (g + 2 * wd * w)
        if not torch.equal(g, kept[1]):
            raise Hint("You changed `gradient` itself; return a new value.")
        if not torch.equal(w, kept[0]):
            raise Hint("You changed `weight` itself; return a new value.")
        if near(got, w - lr * (g - 2 * wd * w)) or near(got, w - lr * (g - wd * w)):
            raise Hint(
                "This makes the weights grow. The gradient of the penalty is *added* to the gradient; the step goes against both."
            )
        if near(got, w + lr * (g + 2 * wd * w)):
            raise Hint("You walk uphill: the step goes against the gradient.")
        if near(got, w - lr * (g + wd * w)):
            raise Hint(
                "The 2 is lost. The derivative of wd * w**2 is 2 * wd * w, and wd is to stay the one of the penalty."
            )
        if any(near(got, w - lr * (g + factor * w)) for factor in (1, 2)):
            raise Hint("`wd` is not used: the gradient of the penalty is 2 * wd * weight.")
        if any(near(got, w * (1 - factor * wd) - lr * g) for factor in (1, 2)):
            raise Hint(
                "The learning rate is missing from the decay: the penalty was part of the loss, so its gradient is multiplied by lr like the rest."
            )
        moved = w - lr * g
        if any(near(got, moved - lr * factor * wd * moved) for factor in (1, 2)):
            raise Hint(
                "You shrink the weight after it has moved. Both gradients belong to the weight as it was before the step."
            )
        if near(got, w - lr * g):
            raise Hint("That is plain descent; nothing decays.")
        if near(got, w - lr * 2 * wd * w):
            raise Hint("The weight decays, and the gradient of the loss is not used.")
        if near(got, w - lr * (g + wd * w**2)) or near(got, w - lr * (g + wd * (w**2).sum())):
            raise Hint("You added the penalty itself. Its derivative belongs into the update.")
        if near(got, w - lr * (g + wd * w.sign())):
            raise Hint(
                "That is the derivative of the absolute value: the same pull on small and large weights. The penalty was squared."
            )
        if near(got, w - lr * (g + 2 * wd * g)) or near(got, w - lr * (g + wd * g)):
            raise Hint("You decay the gradient. It is the weight that should shrink.")
        if got.shape != w.shape:
            raise Hint(
                f"The new weight should have the shape of `weight`, {list(w.shape)}; yours has {list(got.shape)}."
            )
        if not near(got, right, 1e-9):
            n = (got - right).abs().argmax()
            raise Hint(
                f"For weight {w[n]:g}, gradient {g[n]:g}, lr {lr:g} and wd {wd:g} it should be {right[n]:.4f}; yours is {got[n]:.4f}."
            )


def suspect_curves(
    epochs: int = 30,
) -> dict:  # letter to a pair of lists: training loss, validation loss
    "Curves of four trainings, made from formulas: one overfits, one has too much decay, one is not finished, one was noted with dropout at work."
    n, generator = torch.arange(1.0, epochs + 1), torch.Generator().manual_seed(0)
    fall = lambda low, high, pace: low + (high - low) * (-n / pace).exp()
    pairs = {
        "A": (fall(0.95, 1.6, 3), fall(0.99, 1.6, 3)),
        "B": (fall(0.1, 1.5, 14), fall(0.25, 1.5, 17)),
        "C": (fall(0.6, 1.6, 5), fall(0.45, 1.4, 5)),
        "D": (fall(0.02, 1.4, 5), fall(0.45, 1.3, 3.5) + 0.017 * (n - 8).clamp(min=0)),
    }
    return {
        letter: tuple(
            (curve + 0.012 * torch.randn(epochs, generator=generator)).tolist() for curve in pair
        )
        for letter, pair in pairs.items()
    }


@exercise("08-curves", "which curve is overfitting")
def check_curves(verdict):
    right = {"overfitting": "D", "too much decay": "A", "not finished": "B", "dropout": "C"}
    if not isinstance(verdict, dict) or set(verdict) != set(right):
        raise Hint(f"Give a letter for each of: {', '.join(right)}.")
    if any(letter in (None, ...) for letter in verdict.values()):
        raise Hint("One of the four has no letter yet.")
    verdict = {name: str(letter).strip().upper() for name, letter in verdict.items()}
    if any(letter not in list("ABCD") for letter in verdict.values()):
        raise Hint("Each is one letter from A to D, such as 'D'.")
    if verdict["overfitting"] == "B":
        raise Hint(
            "B has a gap, and its validation loss still falls: more training helps it. Look for a validation loss that has turned upward."
        )
    if verdict["overfitting"] == "A":
        raise Hint(
            "In A both losses are high and close together. A net that overfits has a low training loss."
        )
    if verdict["overfitting"] == "C":
        raise Hint(
            "In C the validation loss is the lower one. A net that overfits is better on what it was trained on."
        )
    if verdict["dropout"] != "C":
        raise Hint(
            "Dropout at work makes the net worse while it is at work: in which panel is the training loss *above* the validation loss?"
        )
    if verdict["too much decay"] != "A":
        raise Hint(
            "Too much decay shows in the training loss: the net is not allowed to fit what it sees, and more epochs change nothing."
        )
    if verdict != right:
        raise Hint("Each letter belongs to one of them.")


@exercise("08-dropout", "dropout with a given mask")
def check_dropout(my_dropout):
    x, keep, p = (
        torch.tensor([[1.0, -2.0, 3.0, 4.0], [5.0, 6.0, 7.0, -8.0]], dtype=torch.float64),
        torch.tensor([[1.0, 0.0, 0.0, 1.0], [1.0, 1.0, 0.0, 1.0]], dtype=torch.float64),
        0.2,
    )
    kept = x.clone()
    got, used = my_dropout(x, keep, p, True), my_dropout(x, keep, p, False)
    if not torch.equal(x, kept):
        raise Hint("You changed `x` itself; return a new tensor.")
    if near(got, x * keep) and near(used, x * (1 - p)):
        raise Hint(
            "You scale in evaluation, as the paper of 2014 did. Here, as in PyTorch, the scaling happens in training, and evaluation returns x as it is."
        )
    if near(got, x * keep):
        raise Hint(
            "The survivors are not scaled: on the average 1 - p of the sum is left. Divide by 1 - p."
        )
    if near(got, x * keep / p):
        raise Hint("You divide by the share that goes. Divide by the share that stays, 1 - p.")
    if near(got, x * keep * (1 - p)):
        raise Hint("You multiply by 1 - p, which makes the sum smaller still. Divide.")
    if near(got, x * (1 - keep) / (1 - p)) or near(got, x * (1 - keep) / p):
        raise Hint("The wrong ones are dropped: 1 in `keep` stays, 0 goes.")
    if near(got, x * keep / keep.mean()) or near(got, x * keep / keep.mean(-1, keepdim=True)):
        raise Hint(
            "You divide by the share kept in this draw. Divide by its expected value, 1 - p."
        )
    if near(got, x):
        raise Hint("Nothing is dropped in training.")
    if not torch.is_tensor(got) or got.shape != x.shape:
        raise Hint("The result should be a tensor of the shape of `x`.")
    ones = torch.ones(1, 500, dtype=torch.float64)
    all_kept, none_kept = (
        my_dropout(ones.clone(), ones, p, True) != 0,
        my_dropout(ones.clone(), 0 * ones, p, True) != 0,
    )
    if all_kept.any() and (none_kept.any() or not all_kept.all()):
        raise Hint("You do not use `keep`; the mask is given. Draw none of your own.")
    right = x * keep / (1 - p)
    if not near(got, right, 1e-9):
        n = (got - right).abs().argmax()
        raise Hint(
            f"In training, for x = {x.reshape(-1)[n]:g}, {'kept' if keep.reshape(-1)[n] else 'dropped'}, and p = {p:g}, it should be {right.reshape(-1)[n]:.4g}; yours is {got.reshape(-1)[n]:.4g}."
        )
    if near(used, got):
        raise Hint(
            "Right in training. In evaluation nothing should be dropped: look at `training`."
        )
    if near(used, x * (1 - p)) or near(used, x / (1 - p)):
        raise Hint(
            "Right in training, which has done the scaling already. Evaluation returns x as it is."
        )
    if not near(used, x, 1e-9):
        raise Hint("Right in training. In evaluation the result should be x.")


@exercise("08-batchnorm", "batch norm in evaluation mode")
def check_batchnorm(norm_in_use):
    x = torch.tensor([[1.0, 20.0], [3.0, 10.0], [8.0, -3.0]], dtype=torch.float64)
    mean, var, weight, bias, eps = (
        *[
            torch.tensor(values, dtype=torch.float64)
            for values in ([2.0, 5.0], [4.0, 9.0], [3.0, 0.5], [-1.0, 2.0])
        ],
        0.5,
    )
    kept, result = (
        [part.clone() for part in (x, mean, var)],
        lambda m, v: (x - m) / (v + eps).sqrt() * weight + bias,
    )
    right, got = result(mean, var), norm_in_use(x, mean, var, weight, bias, eps)
    if not all(map(torch.equal, kept, (x, mean, var))):
        raise Hint(
            "You changed one of the arguments. In evaluation the running statistics stay as they are, and x is not yours to change."
        )
    if any(near(got, result(x.mean(0), x.var(0, unbiased=unbiased))) for unbiased in (True, False)):
        raise Hint(
            "You use the mean and variance of this batch. In evaluation the running ones are used, so that an answer does not depend on its neighbours."
        )
    if any(
        near(got, result(x.mean(0), var)) or near(got, result(mean, x.var(0, unbiased=unbiased)))
        for unbiased in (True, False)
    ):
        raise Hint("One of the two statistics is still taken from the batch.")
    if near(got, (x - mean) / (var + eps) * weight + bias):
        raise Hint("You divide by the variance. Divide by its root.")
    if near(got, (x - mean) / (var.sqrt() + eps) * weight + bias):
        raise Hint("eps stands outside the root. Batch norm adds it to the variance.")
    if near(got, (x - mean) / var.sqrt() * weight + bias):
        raise Hint("eps is missing: a feature that never varied would be divided by zero.")
    if near(got, (x - mean) / (var + eps).sqrt()):
        raise Hint("Normalised, and not yet scaled by `weight` and shifted by `bias`.")
    if near(got, (x - mean) / (var + eps).sqrt() * weight):
        raise Hint("`bias` is not added.")
    if near(got, (x - mean) / (var + eps).sqrt() + bias):
        raise Hint(
            "`weight` is not used: the normalised activations are multiplied by it before the bias is added."
        )
    root = (var + eps).sqrt()
    if any(
        near(got, value)
        for value in (
            x - mean / root,
            x - mean / root * weight,
            x - mean / root * weight + bias,
            (x - mean / root) * weight,
            (x - mean / root) * weight + bias,
        )
    ):
        raise Hint(
            "A bracket is missing: subtract the mean first, then divide the difference by the root."
        )
    if near(got, ((x - mean) / (var + eps).sqrt() + bias) * weight):
        raise Hint("Scale first, then shift: the bias is not multiplied by the weight.")
    if not torch.is_tensor(got) or got.shape != x.shape:
        raise Hint("The result should be a tensor of the shape of `x`.")
    if not near(got, right, 1e-9):
        row, column = divmod((got - right).abs().argmax().item(), 2)
        raise Hint(
            f"For the numbers of the check, row {row}, feature {column} should be {right[row, column]:.4f}; yours is {got[row, column]:.4f}."
        )
    if not near(norm_in_use(x[:1], mean, var, weight, bias, eps), right[:1], 1e-9):
        raise Hint("Right for three rows, not for one row alone.")
