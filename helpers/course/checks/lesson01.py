"What the exercises on gradient descent accept, and what they say to each mistake."

import math

import numpy as np

from helpers.course.checks import points
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
            "You walk uphill. The gradient points to where the error grows: subtract it.": (
                _moved(lambda a, b, da, db: (a - da, b - db))
            ),
            "That is only the move. Subtract it from the old slope and the old intercept.": (
                _moved(lambda a, b, da, db: (-da, -db)),
                _moved(lambda a, b, da, db: (da, db)),
            ),
            "A factor 2 is missing: the derivative of r² with respect to r is 2r.": (
                _moved(lambda a, b, da, db: (a + da / 2, b + db / 2))
            ),
            "The slope is multiplied by x in the prediction, "
            "so its derivative carries a factor x.": (
                _moved(lambda a, b, da, db: (a + db, b + db))
            ),
            "That is the whole gradient: multiply it by lr.": (
                lambda a, b, x, y, lr: _update(a, b, x, y, 1)
            ),
            "You used the new slope to find the gradient of the intercept. "
            "Find both gradients first, then move both.": _with_new_slope,
        },
        tolerance=1e-6,
        returns="two numbers: the new slope and the new intercept",
    )


def _derivatives(f, parameters, step=1e-4):
    derivatives = np.zeros(len(parameters))
    for n in range(len(parameters)):
        nudge = np.zeros(len(parameters))
        nudge[n] = step
        derivatives[n] = (f(parameters + nudge) - f(parameters - nudge)) / (2 * step)
    return derivatives


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
        right=_derivatives,
        wrong={
            "You returned one number. Three parameters need three derivatives: "
            "nudge one, measure, put it back, go on to the next.": _one_number,
            "The sign is reversed: it is loss after the nudge minus loss before it.": (
                lambda f, p: -_derivatives(f, p)
            ),
            "Half of what it should be: a nudge to one side is divided by step, "
            "a nudge to both sides by 2 · step.": lambda f, p: _derivatives(f, p) / 2,
            "Exactly twice what it should be: a nudge to both sides is divided by 2 · step.": (
                lambda f, p: _derivatives(f, p) * 2
            ),
            "You nudged all parameters at once. "
            "Nudge one, measure, put it back, go on to the next.": (
                lambda f, p: np.full(len(p), _one_number(f, p))
            ),
            "Those are changes of the loss. A derivative is the change divided by the nudge.": (
                lambda f, p: _derivatives(f, p) * 1e-4
            ),
        },
        tolerance=0.02,
        returns="an array with a derivative for each parameter",
    )


@exercise("01-largest-rate", "the largest safe learning rate")
def check_largest_rate(largest_rate):
    steep = 51.735  # curvature across the valley, with x in tens
    flat = 0.57662  # and along its floor
    try:
        rate = float(largest_rate)
    except (TypeError, ValueError):
        raise Hint("One number is asked for, for instance 0.01.") from None
    if near(rate * steep, 1.0, 0.02):
        raise Hint(
            "At that learning rate the distance goes to zero in one update. "
            "How much further may one go before it grows again?"
        )
    if near(rate * flat, 2.0, 0.02):
        raise Hint(
            "That is the limit along the floor of the valley. "
            "The steep direction blows up long before."
        )
    if near(rate * 5032.58, 2.0, 0.01):
        raise Hint("That is the limit for x as it was. With x in tens the curvature is 51.735.")
    if near(rate, steep * 2, 0.02) or near(rate, steep / 2, 0.02):
        raise Hint("The steeper the valley, the smaller the step: divide by the curvature.")
    if 2 < rate * steep * 0.9999 < 2.1:
        raise Hint(
            f"A little too far: at {rate:g} a step multiplies the distance "
            f"by {1 - rate * steep:.4f}, and it grows."
        )
    if 1.9 < rate * steep < 1.995:
        raise Hint("That is safe, and a slightly larger rate is safe too. Give it to three digits.")
    if not 1.99 < rate * steep <= 2.0002:
        raise Hint(
            "An update multiplies the distance to the floor by 1 - lr · curvature. "
            "For which rate is that -1?"
        )


@exercise("01-tens", "updates along the valley, x in tens")
def check_tens(updates_needed):
    across = 51.735
    along = 0.57662
    try:
        updates = float(updates_needed)
    except (TypeError, ValueError):
        raise Hint("One number is asked for: so many updates halve the distance.") from None
    right = math.log(0.5) / math.log(1 - along / across)
    wrong = {
        "That is how often 1/across goes into 1/along. The distance is multiplied by "
        "1 - along/across, again and again: after how many times is it 0.5?": across / along,
        "With x in tens both curvatures are others than on the page: "
        "use `across_tens` and `along_tens`.": math.log(0.5) / math.log(1 - 0.592768 / 5032.58),
        "That is for the learning rate 2/across. Asked for is 1/across.": (
            math.log(0.5) / math.log(1 - 2 * along / across)
        ),
        "That is for a learning rate of 0.0001. Asked for is 1/across.": (
            math.log(0.5) / math.log(1 - 0.0001 * along)
        ),
        "That is the factor of one update. How many of them make 0.5?": 1 - along / across,
        "A number of updates is positive. Both logarithms are negative; divide one by the other.": (
            -right
        ),
        "Turn the quotient over: log(0.5) divided by log(factor).": 1 / right,
        "Half of the distance is asked for: log(0.5).": 2 * right,
    }
    if near(updates, right, 0.02):
        return
    for hint, number in wrong.items():
        if near(updates, number, 0.01):
            raise Hint(hint)
    raise Hint(
        "Find the factor along the valley first, 1 - lr · curvature with lr = 1/across. "
        "The number of updates is log(0.5) / log(factor)."
    )


def _rows(x, y, lr, epochs):
    a, b = 1.0, 1.0
    for _ in range(epochs):
        for x_row, y_row in zip(x, y):
            a, b = _update(a, b, x_row, y_row, lr)
    return a, b


def _same_start_each_epoch(x, y, lr, epochs):
    return _rows(x, y, lr, 1)


def _same_start_each_row(x, y, lr, epochs):
    return _update(1.0, 1.0, x[-1], y[-1], lr)


def _all_rows_at_once(x, y, lr, epochs):
    a, b = 1.0, 1.0
    for _ in range(epochs):
        residual = a * x + b - y
        a = a - lr * 2 * np.mean(residual * x)
        b = b - lr * 2 * np.mean(residual)
    return a, b


def _one_row_an_epoch(x, y, lr, epochs):
    a, b = 1.0, 1.0
    for _ in range(epochs):
        a, b = _update(a, b, x[0], y[0], lr)
    return a, b


_AS_IT_WAS = (
    "Five epochs still give what one epoch gives. Follow a and b through two epochs, "
    "on paper, line by line; then change the function in the cell above."
)


@exercise("01-bug", "a bug, found by its symptom")
def check_bug(descend_rows):
    x = np.array([1.0, 2.0, 4.0])
    y = 2 * x + 3
    compare(
        descend_rows,
        examples=[(x, y, 0.01, 1), (x, y, 0.01, 2), (x[::-1].copy(), y, 0.02, 5)],
        right=_rows,
        wrong={
            _AS_IT_WAS: _same_start_each_epoch,
            "Now it begins anew at each row. Move the start up, out of both loops.": (
                _same_start_each_row
            ),
            "You take all rows at once. Keep the loop over the rows: "
            "only the start is at the wrong place.": _all_rows_at_once,
            "Each epoch sees the first row only. Does the function return inside the loop, "
            "or is a line indented too little?": _one_row_an_epoch,
            "The right numbers in the wrong order: return `a, b`.": (
                lambda x, y, lr, epochs: _rows(x, y, lr, epochs)[::-1]
            ),
        },
        tolerance=1e-9,
        returns="the pair a, b",
        as_found=_AS_IT_WAS,
    )


@exercise("01-two-rates", "a learning rate for each parameter")
def check_two_rates(rates):
    try:
        rate_a, rate_b = (float(rate) for rate in rates)
    except (TypeError, ValueError):
        raise Hint("Two numbers are asked for: `rates = (0.0001, 0.0001)`, for instance.") from None
    x, y = points()
    a, b = 1.0, 1.0
    with np.errstate(over="ignore", invalid="ignore"):
        for x_row, y_row in zip(x, y):
            residual = a * x_row + b - y_row
            a -= rate_a * 2 * residual * x_row
            b -= rate_b * 2 * residual
        loss = float(np.mean((a * x + b - y) ** 2))
    score = f"The loss after one epoch is {loss:.3g}."
    if loss < 1:
        return f"{score} Ours is 0.00000003: can you get there?"
    if not loss < 5796.55:  # also where it is nan
        raise Hint(f"{score} It was 5,797 at the start: a learning rate is too large, or negative.")
    if rate_a == rate_b:
        raise Hint(f"{score} No single learning rate gets below 245. Let the two differ.")
    if rate_b < rate_a:
        raise Hint(f"{score} Which of the two numbers moves too slowly? It needs the larger one.")
    if rate_b < 0.05:
        raise Hint(
            f"{score} The intercept still moves slowly. Make its learning rate ten times as large."
        )
    raise Hint(f"{score} You are near. Now change one of the two a little, then the other.")
