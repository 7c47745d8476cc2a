"What the exercises on layers accept, and what they say to each mistake."

import numpy as np

from helpers.course.exercises import compare, exercise


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
