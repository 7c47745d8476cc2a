"What the exercises on gradient descent accept, and what they say to each mistake."

import numpy as np

from helpers.course.exercises import Hint, compare, exercise, near


def _update(a, b, x, y, lr):
    residual = a * x + b - y
    return a - lr * 2 * residual * x, b - lr * 2 * residual


def _with_new_slope(a, b, x, y, lr):
    new_a = a - lr * 2 * (a * x + b - y) * x
    return new_a, b - lr * 2 * (new_a * x + b - y)


def _moved(combine):
    "An update made of the old slope and intercept and of how far each should move."

    def update(a, b, x, y, lr):
        new_a, new_b = _update(a, b, x, y, lr)
        return combine(a, b, new_a - a, new_b - b)

    return update


@exercise("01-update", "the update for one row")
def check_update(update):
    compare(
        update,
        # the second point lies on the line, and nothing should move
        examples=[(1.5, 0.5, 14.0, 58.0, 1e-4), (2.0, 30.0, 5.0, 40.0, 0.1), (0.5, 1, 2, 3, 0.01)],
        right=_update,
        wrong={
            "The two numbers are right and in the wrong order: slope first, then intercept.": (
                _moved(lambda a, b, da, db: (b + db, a + da))
            ),
            "The factor x is on the wrong one: "
            "in the prediction it is the slope that is multiplied by x.": (
                _moved(lambda a, b, da, db: (a + db, b + da))
            ),
            "You walk uphill. The gradient points to where the error grows; subtract it.": (
                _moved(lambda a, b, da, db: (a - da, b - db))
            ),
            "That is only the move. Subtract it from the old slope and the old intercept.": (
                _moved(lambda a, b, da, db: (-da, -db)),
                _moved(lambda a, b, da, db: (da, db)),
            ),
            "A factor 2 is missing: "
            "the derivative of error² is 2 · error · (derivative of error).": (
                _moved(lambda a, b, da, db: (a + da / 2, b + db / 2))
            ),
            "The slope is multiplied by x in the prediction, "
            "so its derivative carries a factor x.": (
                _moved(lambda a, b, da, db: (a + db, b + db))
            ),
            "That is the whole gradient; take only lr of it.": (
                lambda a, b, x, y, lr: _update(a, b, x, y, 1)
            ),
            "You used the new slope to find the gradient of the intercept. "
            "Find both gradients first, then move both.": _with_new_slope,
        },
        tolerance=1e-6,
        returns="two numbers: the new slope and the new intercept",
    )


def _slopes(f, parameters, step=1e-4):
    slopes = np.zeros(len(parameters))
    for n in range(len(parameters)):
        nudge = np.zeros(len(parameters))
        nudge[n] = step
        slopes[n] = (f(parameters + nudge) - f(parameters - nudge)) / (2 * step)
    return slopes


def _one_number(f, parameters, step=1e-4):
    return (f(parameters + step) - f(parameters)) / step


@exercise("01-gradient-checker", "a gradient by finite differences")
def check_gradient_checker(numerical_gradient):
    def loss(p):
        return p[0] ** 2 + 3 * p[1] + p[1] * p[2]

    def product(p):
        return 5 * p[0] * p[1]

    compare(
        numerical_gradient,
        examples=[(loss, np.array([1.0, -2.0, 3.0])), (product, np.array([0.5, 2.0]))],
        right=_slopes,
        wrong={
            "You returned one number. Three parameters need three derivatives: "
            "nudge one, measure, put it back, go on to the next.": _one_number,
            "The sign is reversed: it is loss after the nudge minus loss before it.": (
                lambda f, p: -_slopes(f, p)
            ),
            "Half of what it should be: a nudge to one side is divided by step, "
            "a nudge to both sides by 2 · step.": lambda f, p: _slopes(f, p) / 2,
            "Exactly twice what it should be: a nudge to both sides is divided by 2 · step.": (
                lambda f, p: _slopes(f, p) * 2
            ),
            "You nudged all parameters at once. "
            "Nudge one, measure, put it back, go on to the next.": (
                lambda f, p: np.full(len(p), _one_number(f, p))
            ),
            "Those are changes of the loss, not slopes: divide by the size of the nudge.": (
                lambda f, p: _slopes(f, p) * 1e-4
            ),
        },
        tolerance=0.02,
        returns="an array with a derivative for each parameter",
    )


@exercise("01-largest-rate", "the largest safe learning rate")
def check_largest_rate(largest_rate):
    steep = 5032.57964759  # curvature across the valley
    flat = 0.592768  # and along its floor
    try:
        rate = float(largest_rate)
    except (TypeError, ValueError):
        raise Hint("One number is asked for, for instance 1e-4.") from None
    if near(rate * steep, 1.0, 0.02):
        raise Hint(
            "At that rate the distance goes to zero in one step. "
            "How much further may one go before it grows again?"
        )
    if near(rate * flat, 2.0, 0.02):
        raise Hint(
            "That is the limit along the floor of the valley. "
            "The steep direction blows up long before."
        )
    if near(rate, steep * 2, 0.02) or near(rate, steep / 2, 0.02):
        raise Hint(
            "The steeper the valley, the smaller the step: the curvature belongs under the line."
        )
    if 2 < rate * steep * 0.9999 < 2.1:
        raise Hint(
            f"A little too far: at {rate:g} a step multiplies the distance "
            f"by {1 - rate * steep:.4f}, and it grows."
        )
    if 1.9 < rate * steep < 1.995:
        raise Hint("That is safe, and a slightly larger rate is safe too. Give it to three digits.")
    if not 1.99 < rate * steep <= 2.0002:
        raise Hint(
            "A step multiplies the distance to the floor by 1 - rate · curvature. "
            "For which rate is that -1?"
        )
