"What the exercises on layers accept, and what they say to each mistake."

import numpy as np

from helpers.course.exercises import Hint, compare, exercise, near


def _merge(W1, b1, W2, b2, W3, b3):
    return W3 @ W2 @ W1, W3 @ (W2 @ b1 + b2) + b3


def _in_reverse(W1, b1, W2, b2, W3, b3):
    return W1 @ W2 @ W3, b3


def _first_after_second(W1, b1, W2, b2, W3, b3):
    return W3 @ W1 @ W2, b3


def _sum_of_biases(W1, b1, W2, b2, W3, b3):
    return W3 @ W2 @ W1, b1 + b2 + b3


@exercise("02-three-affines", "three affine functions as one")
def check_three_affines(merge):
    random = np.random.default_rng(0)

    def layers(sizes):
        "Matrix and bias of each layer, one after the other."
        arguments = []
        for inputs, outputs in zip(sizes, sizes[1:]):
            arguments += [random.normal(size=(outputs, inputs)), random.normal(size=outputs)]
        return tuple(arguments)

    compare(
        merge,
        examples=[layers([2, 3, 4, 5]), layers([3, 3, 3, 3])],
        right=_merge,
        wrong={
            "The matrices are in the wrong order. The map that acts first stands on the right: "
            "W3 @ W2 @ W1. And a bias goes through every map that comes after it.": (
                _in_reverse,
                _first_after_second,
                lambda W1, b1, W2, b2, W3, b3: (W1 @ W2 @ W3, W1 @ (W2 @ b3 + b2) + b1),
                lambda W1, b1, W2, b2, W3, b3: (W1 @ W2 @ W3, W3 @ (W2 @ b1 + b2) + b3),
            ),
            "The matrix is right, and the biases cannot simply be added. "
            "A bias goes through every map that comes after it.": _sum_of_biases,
            "b1 and b2 have been lost. The second map sees W1 @ x + b1, and multiplies b1 too.": (
                lambda W1, b1, W2, b2, W3, b3: (W3 @ W2 @ W1, b3)
            ),
            "b1 has been lost. It goes through the second map and then through the third.": (
                lambda W1, b1, W2, b2, W3, b3: (W3 @ W2 @ W1, W3 @ b2 + b3)
            ),
            "b2 has been lost. It goes through the third map.": (
                lambda W1, b1, W2, b2, W3, b3: (W3 @ W2 @ W1, W3 @ W2 @ b1 + b3)
            ),
            "Two maps only: the third, W3 and b3, has not been used.": (
                lambda W1, b1, W2, b2, W3, b3: (W2 @ W1, W2 @ b1 + b2)
            ),
        },
        returns="a matrix and a bias: two arrays",
    )


@exercise("02-hat", "a hat from three ReLUs")
def check_hat(slopes):
    try:
        slopes = [float(slope) for slope in slopes]
    except (TypeError, ValueError):
        raise Hint("A list of three numbers is asked for.") from None
    if len(slopes) != 3:
        raise Hint(f"Three slopes are asked for, one for each hinge; you gave {len(slopes)}.")
    wrong = {
        "These are the slopes of the hat itself. Each ReLU stays switched on after its hinge: "
        "give the CHANGE of the slope there.": ([1, -1, 0], [0, 1, -1]),
        "After t = 0 the hat must go down with slope -1. The first ReLU still goes up there, "
        "so the second must do more.": ([1, -1, 1], [1, -1, -1], [1, 1, 1]),
        "The hat stands on its head: change the signs.": ([-1, 2, -1],),
        "After t = 1 it goes on falling. The third ReLU must make it level again.": (
            [1, -2, 0],
            [1, -2, -1],
        ),
        "The hat is right, but not one high. Its top should be at 1.": ([2, -4, 2], [0.5, -1, 0.5]),
    }
    if near(slopes, [1.0, -2.0, 1.0], 1e-6):
        return
    for hint, answers in wrong.items():
        if any(near(slopes, answer, 1e-6) for answer in answers):
            raise Hint(hint)
    t = np.array([-1.0, 0.0, 1.0, 2.0])
    heights = sum(
        slope * np.maximum(t - hinge, 0) for slope, hinge in zip(slopes, (-1.0, 0.0, 1.0))
    )
    *some, last = [f"{height:g}" for height in heights]
    said = f"{', '.join(some)} and {last}"
    raise Hint(f"At t = -1, 0, 1 and 2 your sum is {said}. It should be 0, 1, 0 and 0.")


@exercise("02-skip", "the gradient of a number that goes two ways")
def check_skip(skip_backward):
    random = np.random.default_rng(0)
    examples = [(random.normal(size=(3, 4)), random.normal(size=(3, 4))) for _ in range(2)]
    compare(
        skip_backward,
        examples=examples,
        right=lambda gradient, x: gradient + gradient * (x > 0),
        wrong={
            "That is the way through ReLU. The direct way is missing: add what it brings.": (
                lambda gradient, x: gradient * (x > 0)
            ),
            "That is the direct way. What comes through ReLU is missing: add it.": (
                lambda gradient, x: gradient
            ),
            "Two ways: their gradients are added. You multiplied them.": (
                lambda gradient, x: gradient * gradient * (x > 0)
            ),
            "That is the forward pass. Asked for is the gradient with respect to x.": (
                lambda gradient, x: x + np.maximum(x, 0)
            ),
            "Each way must be multiplied by the gradient that arrives.": (
                lambda gradient, x: 1 + (x > 0),
                lambda gradient, x: gradient + (x > 0),
            ),
            "ReLU stops the gradient where x was negative, not where the gradient is.": (
                lambda gradient, x: gradient + np.maximum(gradient, 0),
                lambda gradient, x: gradient + gradient * (gradient > 0),
            ),
            "ReLU's derivative is 0 or 1. You multiplied by x itself, or by relu(x).": (
                lambda gradient, x: gradient + gradient * np.maximum(x, 0),
                lambda gradient, x: gradient + gradient * x,
            ),
        },
        returns="an array with the shape of x",
    )


def _layers(x, *parameters):
    "What goes into each linear layer, and what comes out of it."
    inputs = []
    outputs = []
    for n in range(0, len(parameters), 2):
        inputs.append(x)
        outputs.append(x @ parameters[n].T + parameters[n + 1])
        x = np.maximum(outputs[-1], 0)
    return inputs, outputs


def _backward(x, y, *parameters, mask=None, bias=None):
    "Gradients of the mean squared error; the keywords make its mistakes."
    mask = mask or (lambda gradient, output: gradient * (output > 0))
    bias = bias or (lambda gradient: gradient.sum(axis=0))
    inputs, outputs = _layers(x, *parameters)
    gradient = 2 * (outputs[-1] - y) / outputs[-1].size
    found = []
    for n in reversed(range(len(inputs))):
        found = [gradient.T @ inputs[n], bias(gradient), *found]
        gradient = gradient @ parameters[2 * n]
        if n:
            gradient = mask(gradient, outputs[n - 1])
    return tuple(found)


def _without_mask(gradient, output):
    return gradient


def _mask_of_gradient(gradient, output):
    return gradient * (gradient > 0)


def _example(random, sizes, rows=5):
    "Inputs, targets, and weight and bias of each layer."
    arguments = [random.normal(size=(rows, sizes[0])), random.normal(size=(rows, sizes[-1]))]
    for inputs, outputs in zip(sizes, sizes[1:]):
        arguments += [random.normal(size=(outputs, inputs)), random.normal(size=outputs)]
    return tuple(arguments)


def _three_layers(x, y, W1, b1, W2, b2, W3, b3):
    return _backward(x, y, W1, b1, W2, b2, W3, b3)


@exercise("02-three-layers", "backward through three layers")
def check_three_layers(three_layers_backward):
    random = np.random.default_rng(0)
    compare(
        three_layers_backward,
        examples=[_example(random, [3, 6, 5, 2]), _example(random, [4, 4, 4, 4])],
        right=_three_layers,
        wrong={
            "The gradients are right and in the order of the way back. "
            "Return them in the order of the parameters: W1, b1, W2, b2, W3, b3.": (
                lambda x, y, *p: tuple(_backward(x, y, *p)[n] for n in (4, 5, 2, 3, 0, 1))
            ),
            "The ReLUs are missing on the way back: between two layers "
            "the gradient passes only where the hidden number was positive.": (
                lambda x, y, *p: _backward(x, y, *p, mask=_without_mask)
            ),
            "ReLU lets pass where what went INTO it was positive: hidden_2, then hidden_1.": (
                lambda x, y, *p: _backward(x, y, *p, mask=_mask_of_gradient)
            ),
            "Only the gradients of the last layer are right. "
            "Let the gradient go on through the second layer and the first.": (
                lambda x, y, *p: (
                    *[np.zeros_like(each) for each in p[:4]],
                    *_backward(x, y, *p)[4:],
                )
            ),
            "The gradient of a bias is added over the rows: sum, not mean.": (
                lambda x, y, *p: _backward(x, y, *p, bias=lambda gradient: gradient.mean(axis=0))
            ),
            "All gradients have the wrong sign. Return them as they are: "
            "the update subtracts them.": (
                lambda x, y, *p: tuple(-each for each in _backward(x, y, *p))
            ),
        },
        tolerance=1e-6,
        returns="six arrays, with the shapes of W1, b1, W2, b2, W3, b3",
    )


_AS_IT_WAS = (
    "W2 and b2 get right gradients, W1 and b1 wrong ones. Between which lines must the bug be? "
    "Follow the gradient on its way back, then change the function in the cell above."
)


def _two_layers(x, y, W1, b1, W2, b2):
    return _backward(x, y, W1, b1, W2, b2)


def _relu_of_gradient(x, y, W1, b1, W2, b2):
    return _backward(
        x, y, W1, b1, W2, b2, mask=lambda gradient, output: gradient * np.maximum(output, 0)
    )


@exercise("02-bug", "a bug in a backward pass")
def check_bug(net_backward):
    random = np.random.default_rng(0)
    compare(
        net_backward,
        examples=[_example(random, [3, 6, 2]), _example(random, [4, 4, 4])],
        right=_two_layers,
        wrong={
            _AS_IT_WAS: (lambda x, y, *p: _backward(x, y, *p, mask=_without_mask)),
            "ReLU lets the gradient pass where `hidden` was positive, "
            "not where the gradient itself is positive.": (
                lambda x, y, *p: _backward(x, y, *p, mask=_mask_of_gradient)
            ),
            "ReLU's derivative is 0 or 1: multiply by (hidden > 0), not by the numbers.": (
                _relu_of_gradient
            ),
            "The mask is turned round: the gradient passes where hidden is positive.": (
                lambda x, y, *p: _backward(
                    x, y, *p, mask=lambda gradient, output: gradient * (output <= 0)
                )
            ),
            "The gradients of the first layer are all zero. "
            "The gradient must go on through W2 and the ReLU.": (
                lambda x, y, W1, b1, W2, b2: (
                    0 * W1,
                    0 * b1,
                    *_backward(x, y, W1, b1, W2, b2)[2:],
                )
            ),
        },
        tolerance=1e-6,
        returns="four arrays, with the shapes of W1, b1, W2, b2",
        as_found=_AS_IT_WAS,
    )


def _trained(seed, units, scale, lr):
    "Loss of the lesson's net after 2,000 updates."
    x = np.linspace(-2, 2, 100).reshape(100, 1)
    y = np.sin(3 * x)
    random = np.random.default_rng(seed)
    parameters = [
        scale * random.normal(0, np.sqrt(2), size=(units, 1)),
        scale * random.uniform(-2, 2, size=units),
        scale * random.normal(0, np.sqrt(2 / units), size=(1, units)),
        np.zeros(1),
    ]
    for _ in range(2000):
        gradients = _backward(x, y, *parameters)
        parameters = [p - lr * gradient for p, gradient in zip(parameters, gradients)]
    _, outputs = _layers(x, *parameters)
    return float(np.mean((outputs[-1] - y) ** 2))


@exercise("02-start", "a start, a width and a learning rate")
def check_start(choice):
    wanted = ("units", "scale", "lr")
    if not isinstance(choice, dict) or set(choice) != set(wanted):
        raise Hint('A dictionary is asked for, with "units", "scale" and "lr".')
    try:
        units, scale, lr = (float(choice[name]) for name in wanted)
    except (TypeError, ValueError):
        raise Hint("Each of the three is a number.") from None
    if not (units.is_integer() and 1 <= units <= 100):
        raise Hint(f"`units` is a whole number from 1 to 100; you gave {units:g}.")
    if not (scale > 0 and lr > 0):
        raise Hint("`scale` and `lr` are larger than 0.")
    with np.errstate(all="ignore"):
        losses = [_trained(seed, int(units), scale, lr) for seed in range(3)]
    worst = max(losses) if np.isfinite(losses).all() else np.inf
    score = f"Losses with the seeds 0, 1 and 2: {', '.join(f'{loss:.3f}' for loss in losses)}."
    if worst < 0.025:
        return f"{score} The worst counts: {worst:.3f}. Ours is 0.022."
    if not worst < 1:
        raise Hint(f"{score} It diverges: a smaller learning rate, or a smaller scale.")
    if max(losses) > 5 * min(losses):
        raise Hint(f"{score} One seed is far worse: you are near the limit. Lower `lr` a little.")
    if scale < 0.3:
        raise Hint(f"{score} With so small a scale the units are almost equal. Enlarge it.")
    if units < 40:
        raise Hint(f"{score} All three learn, and {units:g} ReLUs bend too seldom. Try more.")
    raise Hint(f"{score} All three learn, but slowly. Raise `lr` or `scale` a little.")
