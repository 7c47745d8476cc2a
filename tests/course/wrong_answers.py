"Plausible wrong answers to every exercise, each with words that the fitting hint must contain; those of lessons 08 onwards lie beside this file."

import importlib
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def sequential_update(a, b, x, y, lr):
    a = a - lr * 2 * (a * x + b - y) * x
    return a, b - lr * 2 * (a * x + b - y)


def update(sign=-1, two=2, x_in_a=True, x_in_b=False, swap=False, only_move=False, rate=True):
    def answer(a, b, x, y, lr):
        error, lr = a * x + b - y, lr if rate else 1
        move_a, move_b = (
            lr * two * error * (x if x_in_a else 1),
            lr * two * error * (x if x_in_b else 1),
        )
        new = (move_a, move_b) if only_move else (a + sign * move_a, b + sign * move_b)
        return new[::-1] if swap else new

    return answer


def checker(divide=True, both=False, all_at_once=False, sign=1, spoil=False, factor=1.0):
    def numerical_gradient(f, parameters, step=1e-4):
        slopes = np.zeros(len(parameters))
        if all_at_once:
            return (f(parameters + step) - f(parameters)) / step * np.ones(len(parameters))
        for n in range(len(parameters)):
            nudged = parameters if spoil else parameters.copy()
            before = f(parameters)
            nudged[n] += step
            slopes[n] = sign * factor * (f(nudged) - before) / (step if divide else 1)
        return slopes

    return numerical_gradient


def endless(*args, **kwargs):
    while True:
        pass


class NoSuper(nn.Module):
    def __init__(self, i, o):
        self.weight = nn.Parameter(torch.rand(o, i) / i**0.5)

    def forward(self, xb):
        return xb @ self.weight.T


def my_linear(
    weight=lambda i, o: (torch.rand(o, i) * 2 - 1) / i**0.5,
    bias=True,
    parameter=nn.Parameter,
    add=True,
    turned=False,
):
    class MyLinear(nn.Module):
        def __init__(self, i, o):
            super().__init__()
            self.weight = parameter(weight(i, o))
            if bias:
                self.bias = parameter(torch.zeros(o))

        def forward(self, xb):
            return xb @ (self.weight if turned else self.weight.T) + (
                self.bias if bias and add else 0
            )

    return MyLinear


def train_step(guard=True, zero=True, sign=-1, rebind=False, item=True, before=True):
    def step(model, xb, yb, lr):
        loss = F.cross_entropy(model(xb), yb)
        loss.backward()
        if not guard:
            for p in model.parameters():
                p -= lr * p.grad
        with torch.no_grad():
            for p in model.parameters():
                if rebind:
                    p = p - lr * p.grad
                else:
                    p += sign * lr * p.grad
                if zero and p.grad is not None:
                    p.grad.zero_()
        if not before:
            loss = F.cross_entropy(model(xb), yb)
        return loss.item() if item else loss

    return step


def batches(drop_last=False, ordered=True, together=True, endlessly=False, single=False):
    def batches_of(x, y, bs, order):
        while True:
            for first in range(
                0, len(order) - (len(order) % bs if drop_last else 0), 1 if single else bs
            ):
                rows = (
                    order[first : first + (1 if single else bs)]
                    if ordered
                    else torch.arange(first, min(first + bs, len(x)))
                )
                yield x[rows], y[rows if together else torch.arange(first, min(first + bs, len(x)))]
            if not endlessly:
                return

    return batches_of


def adam(
    correct=(True, True),
    eps_inside=False,
    root=True,
    squared=True,
    keep_corrected=False,
    use_average=True,
    sign=-1,
    offset=0,
):
    def adam_step(p, gradient, average, squares, step, lr, betas, eps):
        average = betas[0] * average + (1 - betas[0]) * gradient
        squares = betas[1] * squares + (1 - betas[1]) * (gradient**2 if squared else gradient)
        m = average / (1 - betas[0] ** (step - offset)) if correct[0] else average
        v = squares / (1 - betas[1] ** (step - offset)) if correct[1] else squares
        size = (v + eps) ** 0.5 if eps_inside else (v**0.5 if root else v) + eps
        new = p + sign * lr * (m if use_average else gradient) / size
        return (new, m, v) if keep_corrected else (new, average, squares)

    return adam_step


def one_cycle(start=25.0, end=1e5, peak_at=0.25, wave=True):
    def one_cycle_rate(done, peak):
        def between(a, b, part):
            return a + (b - a) * ((1 - math.cos(math.pi * part)) / 2 if wave else part)

        low = peak / start if start else 0.0
        return (
            between(low, peak, done / peak_at)
            if done < peak_at
            else between(peak, peak / end, (done - peak_at) / (1 - peak_at))
        )

    return one_cycle_rate


def smoother(kind):
    def smoothed(values, beta):
        average, result = values[0] if kind == "first" else 0.0, []
        for n, value in enumerate(values, start=1):
            average = beta * average + (1 - beta) * value
            if kind == "twice":
                average = average / (1 - beta**n)
            result.append(average)
        return (
            [sum(values[:n]) / n for n in range(1, len(values) + 1)]
            if kind == "mean"
            else result[:-1]
            if kind == "short"
            else result
        )

    return smoothed


p_right = lambda z, t: z.softmax(-1)[range(len(t)), t]

WRONG = {
    "01-update": [
        (lambda a, b, x, y, lr: None, "returned None"),
        (update(sign=1), "uphill"),
        (update(two=1), "factor 2"),
        (update(swap=True), "wrong order"),
        (update(x_in_a=False, x_in_b=True), "wrong one"),
        (update(x_in_a=False), "factor x"),
        (update(only_move=True), "only the move"),
        (update(rate=False), "whole gradient"),
        (sequential_update, "new slope"),
        (lambda a, b, x, y, lr: (1.6022, 0.5073), "one row only"),
        (lambda a, b, x, y, lr: 1.1204, "two numbers"),
        (lambda a, b, x, y, lr: 1 / 0, "ZeroDivisionError"),
    ],
    "01-gradient-checker": [
        (checker(divide=False), "divide by"),
        (checker(all_at_once=True), "all parameters at once"),
        (checker(sign=-1), "reversed"),
        (checker(spoil=True), "changed"),
        (checker(factor=0.5), "Half"),
        (checker(factor=2.0), "twice"),
        (lambda f, p, step=1e-4: (f(p + step) - f(p)) / step, "one number"),
        (endless, "never ends"),
    ],
    "02-three-affines": [
        (lambda W1, b1, W2, b2, W3, b3: (W1 @ W2 @ W3, b3), "stands on the right"),
        (lambda W1, b1, W2, b2, W3, b3: (W3 @ W2 @ W1, b3), "b1 and b2 have been lost"),
        (lambda W1, b1, W2, b2, W3, b3: (W3 @ W2 @ W1, W3 @ b2 + b3), "b1 has been lost"),
        (lambda W1, b1, W2, b2, W3, b3: (W3 @ W2 @ W1, W3 @ W2 @ b1 + b3), "b2 has been lost"),
        (lambda W1, b1, W2, b2, W3, b3: (W3 @ W2 @ W1, b1 + b2 + b3), "shapes do not fit"),
        (lambda W1, b1, W2, b2, W3, b3: W3 @ W2 @ W1, "matrix and a bias"),
    ],
    "01-largest-rate": [
        (1 / 5032.58, "one step"),
        (2 / 0.592768, "along the floor"),
        (5032.58 * 2, "under the line"),
        (4e-4, "too far"),
        (3.9e-4, "slightly larger"),
        (1e-4, "For which rate"),
        ("fast", "One number"),
    ],
    "03-data-loader": [
        (batches(drop_last=True), "last two rows"),
        (batches(ordered=False), "as they lie"),
        (batches(together=False), "belong together"),
        (batches(endlessly=True), "never end"),
        (batches(single=True), "sizes 4, 4, 2"),
        (lambda x, y, bs, order: 3, "cannot be looped over"),
    ],
    "03-my-linear": [
        (NoSuper, "super().__init__()"),
        (my_linear(parameter=lambda t: t), "empty"),
        (my_linear(bias=False), "no bias"),
        (
            my_linear(weight=lambda i, o: (torch.rand(i, o) * 2 - 1) / i**0.5, turned=True),
            "turned round",
        ),
        (my_linear(weight=lambda i, o: torch.zeros(o, i)), "start equal"),
        (my_linear(weight=lambda i, o: torch.randn(o, i)), "too large"),
        (my_linear(add=False), "not added"),
    ],
    "03-training-step": [
        (train_step(zero=False), "Zero them"),
        (train_step(guard=False), "no_grad"),
        (train_step(sign=1), "uphill"),
        (train_step(rebind=True), "did not move"),
        (train_step(item=False), "loss.item()"),
        (train_step(before=False), "the loss before it"),
    ],
    "04-momentum": [
        (lambda g, v, beta=0.9: beta * v + g, "sum the gradients"),
        (lambda g, v, beta=0.9: (1 - beta) * v + beta * g, "larger share"),
        (lambda g, v, beta=0.9: v.mul_(beta).add_((1 - beta) * g), "changed `velocity`"),
        (lambda g, v, beta=0.9: 0.9 * v + 0.1 * g, "argument `beta`"),
        (lambda g, v, beta=0.9: beta * v - (1 - beta) * g, "sign"),
        (lambda g, v, beta=0.9: beta * v, "not entered"),
    ],
    "04-adam": [
        (adam(correct=(False, False)), "Bias correction is missing"),
        (adam(correct=(True, False)), "Only the first"),
        (adam(correct=(False, True)), "Only the second"),
        (adam(eps_inside=True), "inside the root"),
        (adam(root=False), "root is missing"),
        (adam(squared=False), "*squared*"),
        (adam(keep_corrected=True), "raw ones"),
        (adam(use_average=False), "gradient of this step"),
        (adam(sign=1), "uphill"),
        (adam(offset=1), "counts from 1"),
    ],
    "05-suspects": [
        (
            {"both": "A", "none": "B", "only the first": "D", "only the second": "C"},
            "exactly one learning rate",
        ),
        ({"both": "B", "none": "C", "only the first": "A", "only the second": "D"}, "0.2, 0.36"),
        ({"both": "B", "none": "A", "only the first": "D", "only the second": "C"}, "mixed up"),
        (
            {"both": "B", "none": ..., "only the first": "A", "only the second": "C"},
            "no letter yet",
        ),
        ("C", "letter for each"),
    ],
    "06-one-cycle": [
        (one_cycle(start=None), "not at zero"),
        (one_cycle(peak_at=0.5), "quarter"),
        (one_cycle(end=25.0), "hundred-thousandth"),
        (one_cycle(wave=False), "straight lines"),
        (one_cycle(start=10.0), "peak / 25"),
    ],
    "06-smooth": [
        (smoother("raw"), "far too low"),
        (smoother("first"), "first value"),
        (smoother("twice"), "corrected again"),
        (smoother("mean"), "should fade"),
        (smoother("short"), "five averages"),
    ],
    "06-read-finder": [
        (0.05, "near the minimum"),
        (0.9, "diverge"),
        (1e-5, "hardly falls"),
        (-1, "larger than zero"),
        ("left", "One number"),
    ],
    "07-log-softmax": [
        (lambda z: z.softmax(-1), "probabilities"),
        (lambda z: -z.log_softmax(-1), "sign"),
        (lambda z: (z.exp() / z.exp().sum(-1, keepdim=True)).log(), "its own largest"),
        (lambda z: z.log_softmax(0), "each column"),
        (lambda z: z - z.amax(-1, keepdim=True), "logarithm of the sum"),
        (
            lambda z: (z - z.max()) - (z - z.max()).exp().sum(-1, keepdim=True).log(),
            "its own largest",
        ),
        (lambda z: z.sub_(z.amax(-1, keepdim=True)).log_softmax(-1), "changed the logits"),
    ],
    "07-binary": [
        (lambda z, t: -F.binary_cross_entropy_with_logits(z, t), "sign"),
        (lambda z, t: F.binary_cross_entropy_with_logits(z, t, reduction="sum"), "sum"),
        (lambda z, t: -(t * z.sigmoid().log()).mean(), "log(1 - p)"),
        (lambda z, t: F.binary_cross_entropy_with_logits(z, 1 - t), "exchanged"),
        (
            lambda z, t: -(t * z.sigmoid().log() + (1 - t) * (1 - z.sigmoid()).log()).mean(),
            "overflows",
        ),
        (lambda z, t: F.binary_cross_entropy(z.sigmoid(), t), "without a limit"),
        (lambda z, t: F.binary_cross_entropy_with_logits(z, t, reduction="none"), "One number"),
        (lambda z, t: F.binary_cross_entropy_with_logits(z.sigmoid(), t), "twice"),
    ],
    "07-negative": [
        (lambda z, t: -p_right(z, t).mean(), "still the broken"),
        (lambda z, t: p_right(z, t).mean(), "rewards mistakes"),
        (lambda z, t: (1 - p_right(z, t)).mean(), "stops at 1"),
        (lambda z, t: -p_right(z, t).mean().log(), "mean of the logarithms"),
        (lambda z, t: -z[range(len(t)), t].mean(), "Without softmax"),
        (lambda z, t: F.cross_entropy(z.softmax(-1), t), "twice"),
        (lambda z, t: -p_right(z, t).log().mean(), "logarithm of zero"),
        (lambda z, t: -(p_right(z, t) + 1e-12).log().mean(), "sets a limit"),
        (lambda z, t: F.cross_entropy(z, t, reduction="none"), "One number"),
    ],
}

for _part in sorted(Path(__file__).parent.glob("wrong_lesson*.py")):
    WRONG |= importlib.import_module(_part.stem).WRONG
