"What the exercises on layers accept, and what they say to each mistake."

import numpy as np

from helpers.course.exercises import Hint, exercise, near


@exercise("02-three-affines", "three affine functions as one")
def check_three_affines(merge):
    random = np.random.default_rng(0)
    W1, W2, W3 = [random.normal(size=shape) for shape in ((3, 2), (4, 3), (5, 4))]
    b1, b2, b3 = [random.normal(size=n) for n in (3, 4, 5)]
    try:
        got = merge(W1, b1, W2, b2, W3, b3)
    except ValueError as error:
        raise Hint(
            f"The shapes do not fit ({str(error)[:60]} …). The map that acts first stands on the right: W3 @ W2 @ W1. And a bias goes through every map that comes after it."
        ) from None
    if not isinstance(got, (tuple, list)) or len(got) != 2:
        raise Hint("Return a matrix and a bias: two arrays.")
    W, b = map(np.asarray, got)
    if W.shape != (5, 2):
        raise Hint(
            f"The merged matrix takes 2 numbers and gives 5, so its shape is [5, 2]; yours is {list(W.shape)}. The map that acts first stands on the right."
        )
    if not near(W, W3 @ W2 @ W1):
        raise Hint(
            "The matrix is not right: it should be the product of the three, the first map on the right."
        )
    if b.shape == (5,) and near(b, b3):
        raise Hint(
            "b1 and b2 have been lost. The second map sees W1 @ x + b1, and multiplies b1 too."
        )
    if b.shape == (5,) and near(b, W3 @ b2 + b3):
        raise Hint("b1 has been lost. It goes through the second map and then through the third.")
    if b.shape == (5,) and near(b, W3 @ (W2 @ b1) + b3):
        raise Hint("b2 has been lost. It goes through the third map.")
    if not near(b, W3 @ (W2 @ b1 + b2) + b3):
        raise Hint(
            "The bias is not right. Write out W3 @ (W2 @ (W1 @ x + b1) + b2) + b3 and collect what does not contain x."
        )
