"What the exercises on fine-tuning accept, and what they say to each mistake."

import math

import torch
import torch.nn.functional as F

from helpers.course.exercises import compare, exercise


def _counted(numbers):
    "How many numbers learn, from a function that counts those of a shape."

    def learning_parameters(shapes, frozen):
        return sum(numbers(shape) for name, shape in shapes.items() if name not in frozen)

    return learning_parameters


def _without_scalars(shape):
    return math.prod(shape) if shape else 0


def _frozen_only(shapes, frozen):
    return sum(math.prod(shapes[name]) for name in frozen)


@exercise("13-frozen", "what is left to learn")
def check_frozen(learning_parameters):
    shapes = {
        "filters": (16, 3, 5, 5),
        "scale": (16,),
        "temperature": (),
        "head": (7, 16),
        "bias": (7,),
    }
    compare(
        learning_parameters,
        examples=[
            (shapes, {"filters", "scale"}),
            (shapes, {"head", "bias", "scale"}),
            ({"a": (2, 3), "b": (4,)}, set()),
        ],
        right=_counted(math.prod),
        wrong={
            "You count what is frozen. Count the others.": _frozen_only,
            "That is all of them. Leave out the names in `frozen`.": (
                lambda shapes, frozen: sum(map(math.prod, shapes.values()))
            ),
            "You count tensors. Count the numbers in them: the product of the shape.": (
                _counted(lambda shape: 1)
            ),
            "You count the frozen names. "
            "Count the numbers in the other tensors: the product of each shape.": (
                lambda shapes, frozen: len(frozen)
            ),
            "A tensor with the shape () holds one number, not none: `math.prod(())` is 1.": (
                _counted(_without_scalars)
            ),
            "You add the sides of a shape. A matrix of 7 by 16 holds 7 times 16 numbers.": (
                _counted(sum)
            ),
            "You count the rows. Multiply all sides of the shape.": (
                _counted(lambda shape: shape[0] if shape else 1),
                _counted(lambda shape: shape[0] if shape else 0),
            ),
            "One number is asked for, the sum over all parameters that learn.": (
                lambda shapes, frozen: [
                    math.prod(shape) for name, shape in shapes.items() if name not in frozen
                ]
            ),
            "That is text. Return the number itself.": (
                lambda shapes, frozen: str(_counted(math.prod)(shapes, frozen))
            ),
        },
        returns="one number, the sum over all parameters that learn",
    )


def _rates(first, last, n, exponent=lambda k, n: k / (n - 1)):
    return [first * (last / first) ** exponent(k, n) for k in range(n)]


def _equal_steps(first, last, n):
    return [first + (last - first) * k / (n - 1) for k in range(n)]


@exercise("13-rates", "the rates of a slice", "first, last, n")
def check_rates(slice_rates):
    compare(
        slice_rates,
        examples=[(2e-5, 6e-3, 4), (2e-4, 5e-3, 3)],
        right=_rates,
        wrong={
            "The other way round: the first group, the earliest layers, gets the smallest rate.": (
                lambda first, last, n: _rates(first, last, n)[::-1]
            ),
            "Equal steps. Equal factors are asked for: "
            "each rate is the one before times the same number.": _equal_steps,
            "The last group should get `last`. Between n groups there are n - 1 gaps, not n.": (
                lambda first, last, n: _rates(first, last, n, lambda k, n: k / n)
            ),
            "The first group should get `first`. Between n groups there are n - 1 gaps, not n.": (
                lambda first, last, n: _rates(first, last, n, lambda k, n: (k + 1) / n)
            ),
            "That is slice(last), with one number. Here the rates go from `first` to `last`.": (
                lambda first, last, n: [last / 10] * (n - 1) + [last]
            ),
            "Those are the powers of ten. Raise 10 to them.": (
                lambda first, last, n: [math.log10(rate) for rate in _rates(first, last, n)]
            ),
            "Brackets: Python reads a**1/b as (a**1)/b. "
            "Write the exponent in brackets, a**(1/b).": (
                lambda first, last, n: [first * (last / first / (n - 1)) ** k for k in range(n)],
                lambda first, last, n: [first * (last / first) ** k / (n - 1) for k in range(n)],
            ),
            "A factor of ten each time. The factor depends on `first`, `last` and `n`.": (
                lambda first, last, n: [first * 10**k for k in range(n)]
            ),
            "One rate. A list of rates is asked for, one for each group.": (
                lambda first, last, n: (first * last) ** 0.5
            ),
            "Only the ends. A rate for each group is asked for, first and last among them.": (
                lambda first, last, n: [first, last]
            ),
        },
        tolerance=1e-8,
        returns="a list of rates, one for each group",
    )


def _places(x, layout, prefix=0):
    "Features as [n, places, features], without the first tokens."
    if layout == "NCHW":
        return x.flatten(2).transpose(1, 2)
    if layout == "NHWC":
        return x.flatten(1, 2)
    return x[:, prefix:]


def _pooled(join, places=_places):
    "A pooling from what is made of the places."

    def pool(x, layout, prefix=0):
        return join(places(x, layout, prefix))

    return pool


def _max_and_mean(places):
    return torch.cat([places.amax(1), places.mean(1)], 1)


def _one_token(x, layout, prefix=0):
    return _places(x, layout, min(prefix, 1))


def _always_one_token(x, layout, prefix=0):
    return _places(x, layout, 1)


def _channels_last(x, layout, prefix=0):
    return x.flatten(1, 2) if x.ndim == 4 else x[:, prefix:]


@exercise("13-pool", "pooling for any layout")
def check_pool(pool):
    generator = torch.Generator().manual_seed(4)
    tokens = torch.randn(2, 12, 5, generator=generator)
    pictures = tokens.view(2, 3, 4, 5)
    shifted = tokens.clone()
    shifted[:, :2] += 50
    compare(
        pool,
        examples=[
            (tokens, "NLC"),
            (pictures, "NHWC"),
            (pictures.permute(0, 3, 1, 2), "NCHW"),
            (shifted, "NLC", 2),
        ],
        right=_pooled(_max_and_mean),
        wrong={
            "Half of it: maximum and mean are asked for, side by side.": (
                _pooled(lambda places: places.mean(1)),
                _pooled(lambda places: places.amax(1)),
            ),
            "Both, side by side: [n, 2·features]. `torch.cat(..., 1)` puts them there; "
            "adding them mixes two different things.": (
                _pooled(lambda places: places.amax(1) + places.mean(1))
            ),
            "You put maximum and mean under each other. "
            "Side by side is dimension 1 of `torch.cat`.": (
                _pooled(lambda places: torch.cat([places.amax(1), places.mean(1)]))
            ),
            "`stack` makes a new dimension. `cat` puts them side by side.": (
                _pooled(lambda places: torch.stack([places.amax(1), places.mean(1)], 1)),
                _pooled(lambda places: torch.stack([places.amax(1), places.mean(1)])),
            ),
            "The other way round: the maximum first, as in fastai.": (
                _pooled(lambda places: torch.cat([places.mean(1), places.amax(1)], 1))
            ),
            "You take the minimum. The maximum asks whether a feature is anywhere.": (
                _pooled(lambda places: torch.cat([places.amin(1), places.mean(1)], 1))
            ),
            "No absolute values: a feature that is strongly negative is not there.": (
                _pooled(lambda places: torch.cat([places.abs().amax(1), places.mean(1)], 1))
            ),
            "You sum. The mean does not depend on the size of the picture.": (
                _pooled(lambda places: torch.cat([places.amax(1), places.sum(1)], 1))
            ),
            "`max` over a dimension gives two things, the largest values and where they stand. "
            "`amax` gives the values alone.": (
                _pooled(lambda places: places.max(1)),
                _pooled(lambda places: places.max(1) + places.mean(1)),
                _pooled(lambda places: torch.cat([places.max(1), places.mean(1)], 1)),
            ),
            "Layout NCHW: maximum or mean is taken over the wrong dimension. "
            "Which dimensions are places, and which is the features?": (
                _pooled(_max_and_mean, _channels_last)
            ),
            "With prefix=2 the first two tokens are no places. Leave them out.": (
                _pooled(_max_and_mean, lambda x, layout, prefix: _places(x, layout))
            ),
            "You leave out one token whatever `prefix` says.": (
                _pooled(_max_and_mean, _one_token),
                _pooled(_max_and_mean, _always_one_token),
            ),
        },
        returns="a tensor of shape [n, 2·features]",
    )


def _errors(weight, features, y):
    "Softmax minus one-hot target, for each picture."
    return (features @ weight.T).softmax(1) - F.one_hot(y, len(weight))


def _gradient(weight, features, y):
    return _errors(weight, features, y).T @ features / len(y)


def _head_step(weight, features, y, lr):
    return weight - lr * _gradient(weight, features, y)


def _with_errors(errors):
    "A step from another idea of what the errors are, given logits and one-hot targets."

    def head_step(weight, features, y, lr):
        targets = F.one_hot(y, len(weight))
        return weight - lr * errors(features @ weight.T, targets).T @ features / len(y)

    return head_step


def _classes_of_batch(weight, features, y, lr):
    errors = (features @ weight.T).softmax(1) - F.one_hot(y)
    return weight - lr * errors.T @ features / len(y)


@exercise("13-step", "one step of a frozen fit")
def check_step(head_step):
    generator = torch.Generator().manual_seed(6)
    weight = torch.randn(3, 4, generator=generator)
    features = torch.randn(5, 4, generator=generator)
    y = torch.tensor([0, 2, 1, 2, 2])
    few = torch.tensor([0, 2])  # of the classes 0 and 1: the last one does not occur
    compare(
        head_step,
        examples=[(weight, features, y, 0.3), (weight, features[few], y[few], 1.5)],
        right=_head_step,
        wrong={
            "Your result is transposed: the weight has a row for each class.": (
                lambda w, x, y, lr: _head_step(w, x, y, lr).T
            ),
            "Uphill. Descent subtracts the gradient; "
            "softmax minus target, not target minus softmax.": (
                lambda w, x, y, lr: w + lr * _gradient(w, x, y)
            ),
            "You sum over the pictures. The loss is a mean: divide by n.": (
                lambda w, x, y, lr: w - lr * _gradient(w, x, y) * len(y)
            ),
            "The mean goes over the pictures, not over the classes: divide by n.": (
                lambda w, x, y, lr: w - lr * _errors(w, x, y).T @ x / len(w),
                lambda w, x, y, lr: w - lr * _gradient(w, x, y) / len(w),
            ),
            "That is the step alone. Add it to the old weight.": (
                lambda w, x, y, lr: -lr * _gradient(w, x, y),
                lambda w, x, y, lr: lr * _gradient(w, x, y),
            ),
            "That is the gradient. The new weight is the old one minus lr times it.": (
                lambda w, x, y, lr: _gradient(w, x, y)
            ),
            "The rate is missing: multiply the gradient by lr.": (
                lambda w, x, y, lr: w - _gradient(w, x, y)
            ),
            "The targets are missing: softmax *minus the one-hot target*.": (
                _with_errors(lambda logits, targets: logits.softmax(1))
            ),
            "You subtract the target from the logits. That is the gradient of a squared error; "
            "for cross-entropy, softmax first.": (
                _with_errors(lambda logits, targets: logits - targets)
            ),
            "Softmax over the wrong dimension: "
            "each picture's chances sum to 1, which is dimension 1.": (
                _with_errors(lambda logits, targets: logits.softmax(0) - targets)
            ),
            "Right for one batch, an error for a smaller one. A batch need not hold every class, "
            "and `one_hot(y)` makes columns only up to the largest class in it: "
            "give it the number of classes, `len(weight)`.": _classes_of_batch,
            "Right for one batch, wrong for another. Is n the number of rows of `features`?": (
                lambda w, x, y, lr: w - lr * _errors(w, x, y).T @ x / 5
            ),
        },
        returns="the new weight, a tensor of the shape of the old one",
    )
