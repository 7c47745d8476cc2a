"Plausible wrong answers to the exercises of lesson 08, each with words that the fitting hint must contain."

import torch


def in_place(weight, gradient, lr, wd):
    weight -= lr * (gradient + 2 * wd * weight)
    return weight


def after_moving(weight, gradient, lr, wd):
    moved = weight - lr * gradient
    return moved - 2 * lr * wd * moved


def drop(train=lambda x, keep, p: x * keep / (1 - p), use=lambda x, p: x):
    return lambda x, keep, p, training: train(x, keep, p) if training else use(x, p)


def batch_statistics(x, mean, var, weight, bias, eps):
    return (x - x.mean(0)) / (x.var(0, unbiased=False) + eps).sqrt() * weight + bias


def updates_running(x, mean, var, weight, bias, eps):
    mean.lerp_(x.mean(0), 0.1)
    return (x - mean) / (var + eps).sqrt() * weight + bias


def verdict(letters):
    return dict(zip(("overfitting", "too much decay", "not finished", "dropout"), letters))


WRONG = {
    "08-decay": [
        (lambda w, g, lr, wd: w - lr * (g - 2 * wd * w), "grow"),
        (lambda w, g, lr, wd: w - lr * (g - wd * w), "grow"),
        (lambda w, g, lr, wd: w + lr * (g + 2 * wd * w), "uphill"),
        (lambda w, g, lr, wd: w - lr * (g + wd * w), "2 is lost"),
        (lambda w, g, lr, wd: w * (1 - 2 * wd) - lr * g, "rate is missing"),
        (lambda w, g, lr, wd: w * (1 - wd) - lr * g, "rate is missing"),
        (after_moving, "after it has moved"),
        (lambda w, g, lr, wd: w - lr * g, "plain descent"),
        (lambda w, g, lr, wd: w - 2 * lr * wd * w, "is not used"),
        (lambda w, g, lr, wd: w - lr * (g + wd * w**2), "the penalty itself"),
        (lambda w, g, lr, wd: w - lr * (g + wd * torch.sign(w)), "absolute value"),
        (lambda w, g, lr, wd: w - lr * (1 + 2 * wd) * g, "decay the gradient"),
        (in_place, "changed `weight`"),
        (lambda w, g, lr, wd: w - lr * (g + 2 * w), "`wd` is not used"),
        (lambda w, g, lr, wd: w - lr * (g + wd * (w**2).sum()), "the penalty itself"),
        (lambda w, g, lr, wd: (w - lr * (g + 2 * wd * w)).sum(), "shape of `weight`"),
        (lambda w, g, lr, wd: w - lr * (g + 4 * wd * w), "should be"),
        (lambda w, g, lr, wd: ..., "should return"),
    ],
    "08-curves": [
        (verdict("BADC"), "still falls"),
        (verdict("ADBC"), "high and close together"),
        (verdict("CABD"), "lower one"),
        (verdict("DACB"), "*above*"),
        (verdict("DBAC"), "not allowed to fit"),
        (verdict("DAAC"), "one of them"),
        (verdict(["D", ..., "B", "C"]), "no letter yet"),
        ("D", "letter for each"),
        (verdict(["panel D", "A", "B", "C"]), "one letter from A to D"),
    ],
    "08-dropout": [
        (drop(lambda x, keep, p: x * keep, lambda x, p: x * (1 - p)), "2014"),
        (drop(lambda x, keep, p: x * keep), "not scaled"),
        (drop(lambda x, keep, p: x * keep / p), "share that goes"),
        (drop(lambda x, keep, p: x * keep * (1 - p)), "smaller still"),
        (drop(lambda x, keep, p: x * (1 - keep) / (1 - p)), "wrong ones"),
        (drop(lambda x, keep, p: x * keep / keep.mean()), "expected value"),
        (drop(lambda x, keep, p: x), "Nothing is dropped"),
        (lambda x, keep, p, training: x * keep / (1 - p), "look at `training`"),
        (drop(use=lambda x, p: x * (1 - p)), "already"),
        (lambda x, keep, p, training: x.mul_(keep).div_(1 - p), "changed `x`"),
        (lambda x, keep, p, training: torch.nn.functional.dropout(x, p, training), "mask is given"),
        (drop(lambda x, keep, p: x / (1 - p)), "mask is given"),
        (
            drop(lambda x, keep, p: x * keep * torch.empty_like(x).bernoulli_(1 - p) / (1 - p)),
            "mask is given",
        ),
        (drop(lambda x, keep, p: x * keep / (1 - p) ** 2), "x = -8, kept"),
    ],
    "08-batchnorm": [
        (batch_statistics, "this batch"),
        (updates_running, "stay as they are"),
        (
            lambda x, m, v, w, b, e: (x - x.mean(0)) / (v + e).sqrt() * w + b,
            "still taken from the batch",
        ),
        (lambda x, m, v, w, b, e: (x - m) / (v + e) * w + b, "by its root"),
        (lambda x, m, v, w, b, e: (x - m) / (v.sqrt() + e) * w + b, "outside the root"),
        (lambda x, m, v, w, b, e: (x - m) / v.sqrt() * w + b, "eps is missing"),
        (lambda x, m, v, w, b, e: (x - m) / (v + e).sqrt(), "not yet scaled"),
        (lambda x, m, v, w, b, e: (x - m) / (v + e).sqrt() * w, "is not added"),
        (lambda x, m, v, w, b, e: ((x - m) / (v + e).sqrt() + b) * w, "then shift"),
        (lambda x, m, v, w, b, e: (x - v) / (m + e).sqrt() * w + b, "numbers of the check"),
        (lambda x, m, v, w, b, e: (x - m) / (v + e).sqrt() + b, "`weight` is not used"),
        (lambda x, m, v, w, b, e: x - m / (v + e).sqrt() * w + b, "bracket is missing"),
    ],
}
