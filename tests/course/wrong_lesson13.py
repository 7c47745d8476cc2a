"Plausible wrong answers to the exercises of lesson 13."

import math

import torch
import torch.nn.functional as F


def learn(shapes, frozen):
    return [shape for name, shape in shapes.items() if name not in frozen]


def size(shape):
    n = 1 if shape else 0
    for side in shape:
        n *= side
    return n


def emptied(shapes, frozen):
    for name in frozen:
        shapes.pop(name)
    return sum(math.prod(shape) for shape in shapes.values())


def power(first, last, n, part):
    return [first * (last / first) ** part(k, n) for k in range(n)]


def places(x, layout, prefix=0):
    return (
        x.flatten(2).transpose(1, 2)
        if layout == "NCHW"
        else x.flatten(1, 2)
        if layout == "NHWC"
        else x[:, prefix:]
    )


def pooled(join, p=places):
    return lambda x, layout, prefix=0: join(p(x, layout, prefix))


def both(p):
    return torch.cat([p.amax(1), p.mean(1)], 1)


def in_place(x, layout, prefix=0):
    x -= 0.5
    return both(places(x, layout, prefix))


def errors(weight, features, y):
    return (features @ weight.T).softmax(1) - F.one_hot(y, len(weight))


def gradient(weight, features, y):
    return errors(weight, features, y).T @ features / len(y)


def moved(weight, features, y, lr):
    weight -= lr * gradient(weight, features, y)
    return weight


WRONG = {
    "13-frozen": [
        (
            lambda shapes, frozen: sum(math.prod(shapes[name]) for name in frozen),
            "count what is frozen",
        ),
        (lambda shapes, frozen: sum(map(math.prod, shapes.values())), "all of them"),
        (lambda shapes, frozen: len(learn(shapes, frozen)), "count tensors"),
        (
            lambda shapes, frozen: sum(map(size, learn(shapes, frozen))),
            "holds one number, not none",
        ),
        (lambda shapes, frozen: sum(map(sum, learn(shapes, frozen))), "add the sides"),
        (
            lambda shapes, frozen: sum(shape[0] if shape else 1 for shape in learn(shapes, frozen)),
            "count the rows",
        ),
        (
            lambda shapes, frozen: [math.prod(shape) for shape in learn(shapes, frozen)],
            "One number",
        ),
        (emptied, "changed the dictionary"),
        (lambda shapes, frozen: 120, "Does your code use"),
        (lambda shapes, frozen: "120", "That is text"),
        (lambda shapes, frozen: len(frozen), "count the frozen names"),
    ],
    "13-rates": [
        (
            lambda first, last, n: [first + (last - first) * k / (n - 1) for k in range(n)],
            "Equal steps",
        ),
        (
            lambda first, last, n: power(first, last, n, lambda k, n: k / n),
            "The last group should get",
        ),
        (
            lambda first, last, n: power(first, last, n, lambda k, n: (k + 1) / n),
            "The first group should get",
        ),
        (
            lambda first, last, n: power(first, last, n, lambda k, n: k / (n - 1))[::-1],
            "other way round",
        ),
        (lambda first, last, n: [last / 10] * (n - 1) + [last], "with one number"),
        (lambda first, last, n: [first * 10**k for k in range(n)], "A factor of ten"),
        (lambda first, last, n: [first * 300 ** (k / 3) for k in range(n)], "Right for one slice"),
        (
            lambda first, last, n: [first * ((last / first) ** 1 / (n - 1)) ** k for k in range(n)],
            "Brackets",
        ),
        (
            lambda first, last, n: [first * (last / first) ** k / (n - 1) for k in range(n)],
            "Brackets",
        ),
        (
            lambda first, last, n: torch.linspace(
                math.log10(first), math.log10(last), n, dtype=torch.float64
            ).tolist(),
            "powers of ten",
        ),
        (lambda first, last, n: [first, last], "2 rates"),
        (lambda first, last, n: (first * last) ** 0.5, "A list of rates"),
    ],
    "13-pool": [
        (pooled(lambda p: p.mean(1)), "Half of it"),
        (pooled(lambda p: p.amax(1) + p.mean(1)), "mixes two"),
        (pooled(lambda p: torch.cat([p.mean(1), p.amax(1)], 1)), "maximum first"),
        (pooled(lambda p: torch.cat([p.amax(1), p.mean(1)])), "under each other"),
        (pooled(lambda p: torch.stack([p.amax(1), p.mean(1)], 1)), "`stack`"),
        (
            pooled(
                both, lambda x, layout, prefix: x.flatten(1, 2) if x.ndim == 4 else x[:, prefix:]
            ),
            "Layout NCHW",
        ),
        (pooled(both, lambda x, layout, prefix: places(x, layout)), "are no places"),
        (pooled(lambda p: torch.cat([p.amax(1), p.sum(1)], 1)), "You sum"),
        (pooled(lambda p: torch.cat([p.abs().amax(1), p.mean(1)], 1)), "No absolute values"),
        (pooled(lambda p: torch.cat([p.amin(1), p.mean(1)], 1)), "minimum"),
        (
            lambda x, layout, prefix=0: both(places(x, layout)[:, 1 if prefix else 0 :]),
            "one token whatever",
        ),
        (pooled(lambda p: torch.cat([p.max(1), p.mean(1)], 1)), "`amax` gives"),
        (pooled(lambda p: p.max(1)), "`amax` gives"),
        (pooled(lambda p: p.max(1) + p.mean(1)), "`amax` gives"),
    ],
    "13-step": [
        (lambda weight, features, y, lr: weight + lr * gradient(weight, features, y), "Uphill"),
        (
            lambda weight, features, y, lr: weight - lr * gradient(weight, features, y) * len(y),
            "You sum",
        ),
        (lambda weight, features, y, lr: weight - gradient(weight, features, y), "rate is missing"),
        (lambda weight, features, y, lr: -lr * gradient(weight, features, y), "the step alone"),
        (lambda weight, features, y, lr: gradient(weight, features, y), "That is the gradient"),
        (
            lambda weight, features, y, lr: (
                weight - lr * (features @ weight.T).softmax(1).T @ features / len(y)
            ),
            "targets are missing",
        ),
        (
            lambda weight, features, y, lr: (
                weight
                - lr * (features @ weight.T - F.one_hot(y, len(weight))).T @ features / len(y)
            ),
            "squared error",
        ),
        (
            lambda weight, features, y, lr: (
                weight
                - lr
                * ((features @ weight.T).softmax(0) - F.one_hot(y, len(weight))).T
                @ features
                / len(y)
            ),
            "wrong dimension",
        ),
        (
            lambda weight, features, y, lr: (weight - lr * gradient(weight, features, y)).T,
            "transposed",
        ),
        (moved, "in place"),
        (
            lambda weight, features, y, lr: (
                weight - lr * gradient(weight, features, y) * len(y) / weight.numel() * 4
            ),
            "not over the classes",
        ),
        (
            lambda weight, features, y, lr: (
                weight
                - lr * ((features @ weight.T).softmax(1) - F.one_hot(y)).T @ features / len(y)
            ),
            "need not hold every class",
        ),
        (
            lambda weight, features, y, lr: (
                weight - lr * errors(weight, features, y).T @ features / 5
            ),
            "Is n the number of rows",
        ),
    ],
}
