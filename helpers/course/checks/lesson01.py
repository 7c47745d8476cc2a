"What the exercises on gradient descent accept, and what they say to each mistake."

import numpy as np

from helpers.course.exercises import Hint, exercise, near


@exercise("01-update", "the update for one row")
def check_update(update):
    a, b, x, y, lr = 1.5, 0.5, 14.0, 58.0, 1e-4
    got, error = update(a, b, x, y, lr), a * x + b - y
    if not isinstance(got, (tuple, list)) or len(got) != 2:
        raise Hint("Return two numbers: the new slope and the new intercept.")
    move_a, move_b = lr * 2 * x * error, lr * 2 * error

    def is_(slope, intercept):
        return near(list(got), [slope, intercept], 1e-6)

    if is_(b - move_b, a - move_a):
        raise Hint("The two numbers are right and in the wrong order: slope first, then intercept.")
    if is_(a - move_b, b - move_a):
        raise Hint(
            "The factor x is on the wrong one: in the prediction it is the slope that is multiplied by x."
        )
    if is_(a + move_a, b + move_b):
        raise Hint("You walk uphill. The gradient points to where the error grows; subtract it.")
    if is_(move_a, move_b) or is_(-move_a, -move_b):
        raise Hint("That is only the move. Subtract it from the old slope and the old intercept.")
    if is_(a - move_a / 2, b - move_b / 2):
        raise Hint(
            "A factor 2 is missing: the derivative of error² is 2 · error · (derivative of error)."
        )
    if is_(a - move_b, b - move_b):
        raise Hint(
            "The slope is multiplied by x in the prediction, so its derivative carries a factor x."
        )
    if is_(a - move_a / lr, b - move_b / lr):
        raise Hint("That is the whole gradient; take only lr of it.")
    if is_(a - move_a, b - lr * 2 * ((a - move_a) * x + b - y)):
        raise Hint(
            "You used the new slope to find the gradient of the intercept. Find both gradients first, then move both."
        )
    if not is_(a - move_a, b - move_b):
        raise Hint(
            f"For a = 1.5, b = 0.5, x = 14, y = 58, lr = 1e-4 the result should be ({a - move_a:.4f}, {b - move_b:.4f}); yours is ({got[0]:.4f}, {got[1]:.4f})."
        )
    if not near(list(update(2.0, 30.0, 5.0, 40.0, 0.1)), [2.0, 30.0]):
        raise Hint(
            "Right for one row only. At a = 2, b = 30 and a point on that line nothing should move."
        )


@exercise("01-gradient-checker", "a gradient by finite differences")
def check_gradient_checker(numerical_gradient):
    start = np.array([1.0, -2.0, 3.0])
    kept = start.copy()
    loss = lambda p: p[0] ** 2 + 3 * p[1] + p[1] * p[2]
    wanted = np.array([2.0, 6.0, -2.0])
    got = np.asarray(numerical_gradient(loss, start), dtype=float)
    if not np.array_equal(start, kept):
        raise Hint(
            "Your function left the parameters changed. Work on a copy, or put each one back."
        )
    if got.shape == ():
        raise Hint(
            "You returned one number. Three parameters need three derivatives: nudge one, measure, put it back, go on to the next."
        )
    if got.shape != (3,):
        raise Hint(
            f"Three parameters need three derivatives; you returned shape {list(got.shape)}."
        )
    if near(got, -wanted, 0.02):
        raise Hint("The sign is reversed: it is loss after the nudge minus loss before it.")
    if near(got, wanted / 2, 0.02):
        raise Hint(
            "Half of what it should be: a nudge to one side is divided by step, a nudge to both sides by 2 · step."
        )
    if near(got, wanted * 2, 0.02):
        raise Hint("Exactly twice what it should be: a nudge to both sides is divided by 2 · step.")
    if near(got, np.full(3, wanted.sum()), 0.05):
        raise Hint(
            "You nudged all parameters at once. Nudge one, measure, put it back, go on to the next."
        )
    if np.abs(got).max() < 0.05:
        raise Hint("Those are changes of the loss, not slopes: divide by the size of the nudge.")
    if not near(got, wanted, 0.02):
        raise Hint(
            f"For p = [1, -2, 3] and the loss p0² + 3·p1 + p1·p2 the gradient is [2, 6, -2]; yours is {np.round(got, 3).tolist()}."
        )


@exercise("01-largest-rate", "the largest safe learning rate")
def check_largest_rate(rate):
    steep = 5032.57964759
    try:
        rate = float(rate)
    except (TypeError, ValueError):
        raise Hint("One number is asked for, for instance 1e-4.") from None
    if near(rate * steep, 1.0, 0.02):
        raise Hint(
            "At that rate the distance goes to zero in one step. How much further may one go before it grows again?"
        )
    if near(rate * 0.592768, 2.0, 0.02):
        raise Hint(
            "That is the limit along the floor of the valley. The steep direction blows up long before."
        )
    if near(rate, steep * 2, 0.02) or near(rate, steep / 2, 0.02):
        raise Hint(
            "The steeper the valley, the smaller the step: the curvature belongs under the line."
        )
    if 2 < rate * steep * 0.9999 < 2.1:
        raise Hint(
            f"A little too far: at {rate:g} a step multiplies the distance by {1 - rate * steep:.4f}, and it grows."
        )
    if 1.9 < rate * steep < 1.995:
        raise Hint("That is safe, and a slightly larger rate is safe too. Give it to three digits.")
    if not 1.99 < rate * steep <= 2.0002:
        raise Hint(
            "A step multiplies the distance to the floor by 1 - rate · curvature. For which rate is that -1?"
        )
