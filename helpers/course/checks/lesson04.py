"What the exercises on momentum and Adam accept, and what they say to each mistake."

import math
from types import SimpleNamespace

import numpy as np

from helpers.course.checks import points
from helpers.course.exercises import Hint, compare, exercise, near


def _velocities(gradients, beta=0.9):
    velocity = 0.0
    result = []
    for gradient in gradients:
        velocity = beta * velocity + gradient
        result.append(velocity)
    return result


def _combined(combine):
    "Velocities, where `combine` makes the new one of the old one, the gradient and beta."

    def velocities(gradients, beta=0.9):
        velocity = 0.0
        result = []
        for gradient in gradients:
            velocity = combine(velocity, gradient, beta)
            result.append(velocity)
        return result

    return velocities


@exercise("04-momentum", "momentum, the undamped form")
def check_momentum(velocities):
    gradients = [2.0, -4.0, 1.0, 3.0]
    compare(
        velocities,
        examples=[(gradients,), (gradients, 0.7), ([1.0] * 6,)],
        right=_velocities,
        wrong={
            "You average: that is the damped form. "
            "The undamped one leaves the factor 1 - beta away.": (
                _combined(lambda v, g, beta: beta * v + (1 - beta) * g)
            ),
            "You add up all gradients. The old velocity should be multiplied by beta first.": (
                _combined(lambda v, g, beta: v + g)
            ),
            "beta stands at the wrong place: the old velocity is multiplied by it, "
            "the gradient is not.": _combined(lambda v, g, beta: v + beta * g),
            "You multiply the new gradient by beta as well. Only the old velocity fades.": (
                _combined(lambda v, g, beta: beta * (v + g))
            ),
            "The sign belongs to the update. The velocity adds the gradients as they are.": (
                _combined(lambda v, g, beta: beta * v - g)
            ),
            "One update late: put the velocity into the list after the gradient has entered.": (
                lambda g, beta=0.9: [0.0, *_velocities(g, beta)[:-1]]
            ),
            "One number too many: the 0 of the start does not belong in the list.": (
                lambda g, beta=0.9: [0.0, *_velocities(g, beta)]
            ),
            "You return the last velocity. Return the list of all of them.": (
                lambda g, beta=0.9: _velocities(g, beta)[-1]
            ),
            "Your function returns after the first gradient. "
            "Is `return` indented too far?": lambda g, beta=0.9: _velocities(g, beta)[:1],
            "The newest comes first in your list. Keep the order of the gradients.": (
                lambda g, beta=0.9: _velocities(g, beta)[::-1]
            ),
            "You forget the old velocity: that is plain descent.": lambda g, beta=0.9: list(g),
            "Right for beta = 0.9 only: use the argument `beta`.": (
                lambda g, beta=0.9: _velocities(g, 0.9)
            ),
        },
        returns="a list with a velocity for each gradient",
    )


@exercise("04-translate", "a learning rate in both forms of momentum")
def check_translate(translated):
    try:
        damped, undamped = (float(number) for number in translated)
    except (TypeError, ValueError):
        raise Hint("Two numbers are asked for: `translated = (0.1, 0.1)`, for instance.") from None
    if near(damped, 0.02 * (1 - 0.95), 1e-6) and near(undamped, 0.6 / (1 - 0.8), 1e-6):
        raise Hint(
            "Both the wrong way round. For the same learning rate the undamped move is the longer "
            "one. So which form needs the larger learning rate?"
        )
    wrong_damped = {
        "multiplied in place of divided: the damped move is 1 - β times the undamped one, "
        "so it needs a larger learning rate": 0.02 * (1 - 0.95),
        "for β = 0.9. This recipe has 0.95": 0.02 / (1 - 0.9),
        "divided by β. The factor between the two forms is 1 - β": 0.02 / 0.95,
        "multiplied by β. The factor between the two forms is 1 - β": 0.02 * 0.95,
        "not translated": 0.02,
        "multiplied by 39, (1 + β) / (1 - β). That factor compares the limits of plain descent "
        "and momentum; here two forms of momentum are compared": 0.02 * 39,
    }
    wrong_undamped = {
        "divided in place of multiplied: the undamped move is longer, "
        "so it needs a smaller learning rate": 0.6 / (1 - 0.8),
        "for β = 0.9. This recipe has 0.8": 0.6 * (1 - 0.9),
        "multiplied by β. The factor between the two forms is 1 - β": 0.6 * 0.8,
        "divided by β. The factor between the two forms is 1 - β": 0.6 / 0.8,
        "not translated": 0.6,
    }
    if not near(damped, 0.4, 0.01):
        for hint, number in wrong_damped.items():
            if math.isclose(damped, number, rel_tol=0.01):
                raise Hint(f"The first number is {hint}.")
        raise Hint(
            "The first number is not right. At β = 0.95 the undamped velocity is "
            "1 / (1 - 0.95) times as long as the damped one."
        )
    if not near(undamped, 0.12, 0.002):
        for hint, number in wrong_undamped.items():
            if math.isclose(undamped, number, rel_tol=0.01):
                raise Hint(f"The first number is right. The second is {hint}.")
        raise Hint(
            "The first number is right. For the second go the other way: "
            "at β = 0.8 the undamped velocity is 5 times as long."
        )


def _averages(gradient, average, squares, betas):
    average = betas[0] * average + (1 - betas[0]) * gradient
    squares = betas[1] * squares + (1 - betas[1]) * gradient**2
    return average, squares


def _corrected(average, squares, step, betas):
    return average / (1 - betas[0] ** step), squares / (1 - betas[1] ** step)


def _adam(move, late=0):
    """A step of Adam; `move` gives its direction from the averages and the corrected averages.

    `late` is added to the number of the step."""

    def adam_step(p, gradient, average, squares, step, lr, betas, eps):
        average, squares = _averages(gradient, average, squares, betas)
        with np.errstate(divide="ignore", invalid="ignore"):
            m, v = _corrected(average, squares, step + late, betas)
            return p - lr * move(average, squares, m, v, eps), average, squares

    return adam_step


def _paper(average, squares, m, v, eps):
    return m / (v**0.5 + eps)


_adam_step = _adam(_paper)


def _keeps_corrected(first, second):
    "A step of Adam that returns corrected averages in place of the raw ones."

    def adam_step(p, gradient, average, squares, step, lr, betas, eps):
        new, average, squares = _adam_step(p, gradient, average, squares, step, lr, betas, eps)
        m, v = _corrected(average, squares, step, betas)
        return new, m if first else average, v if second else squares

    return adam_step


def _along_gradient(p, gradient, average, squares, step, lr, betas, eps):
    average, squares = _averages(gradient, average, squares, betas)
    _, v = _corrected(average, squares, step, betas)
    return p - lr * gradient / (v**0.5 + eps), average, squares


def _not_squared(p, gradient, average, squares, step, lr, betas, eps):
    average, _ = _averages(gradient, average, squares, betas)
    squares = betas[1] * squares + (1 - betas[1]) * gradient
    m, v = _corrected(average, squares, step, betas)
    with np.errstate(invalid="ignore"):
        return p - lr * m / (v**0.5 + eps), average, squares


def _small_part(p, gradient, average, squares, step, lr, betas, eps):
    opposite = (1 - betas[0], 1 - betas[1])
    average, squares = _averages(gradient, average, squares, opposite)
    m, v = _corrected(average, squares, step, betas)
    return p - lr * m / (v**0.5 + eps), average, squares


def _betas_exchanged(p, gradient, average, squares, step, lr, betas, eps):
    return _adam_step(p, gradient, average, squares, step, lr, betas[::-1], eps)


def _old_averages(p, gradient, average, squares, step, lr, betas, eps):
    m, v = _corrected(average, squares, step, betas)
    return p - lr * m / (v**0.5 + eps), *_averages(gradient, average, squares, betas)


def _averages_exchanged(*arguments):
    new, average, squares = _adam_step(*arguments)
    return new, squares, average


def _move_only(p, *arguments):
    new, average, squares = _adam_step(p, *arguments)
    return p - new, average, squares


def _one_result(p, gradient, average, squares, step, lr, betas, eps):
    return _adam_step(p, gradient, average, squares, step, lr, betas, eps)[0]


@exercise("04-adam", "one update of Adam")
def check_adam(adam_step):
    p = np.array([1.0, 2.0, 3.0])
    gradient = np.array([0.5, -2.0, 1e-4])
    average = np.array([0.2, -0.1, 2e-4])
    squares = np.array([0.02, 0.3, 1e-7])
    rest = (0.1, (0.9, 0.99), 1e-4)

    def right(p, gradient, average, squares, step, lr, betas, eps):
        return _adam_step(p, gradient, average, squares, step, lr, betas, eps)

    compare(
        adam_step,
        examples=[
            (p, gradient, average, squares, 3, *rest),
            (2 * p, -gradient, average / 2, 3 * squares, 4, *rest),
        ],
        right=right,
        wrong={
            "You return the corrected averages. The next update needs them as they were; "
            "correct only where they are used.": (
                _keeps_corrected(True, True),
                _keeps_corrected(True, False),
                _keeps_corrected(False, True),
            ),
            "All three numbers are right, and the two averages are exchanged: "
            "first that of the gradients, then that of their squares.": _averages_exchanged,
            "eps is missing. It is added to the root, below the line.": (
                _adam(lambda average, squares, m, v, eps: m / v**0.5)
            ),
            "The second average is of the *squared* gradient.": _not_squared,
            "The averages are not right: the old one keeps beta, "
            "and 1 - beta goes to the gradient, or to its square.": _small_part,
            "The two betas are exchanged: the first is for the gradients, "
            "the second for their squares.": _betas_exchanged,
            "You use the averages before this gradient has entered. Update them first.": (
                _old_averages
            ),
            "Bias correction is missing: "
            "divide the averages by 1 - beta**step before you use them.": (
                _adam(lambda average, squares, m, v, eps: average / (squares**0.5 + eps))
            ),
            "Only the first average is corrected. The second starts too small as well.": (
                _adam(lambda average, squares, m, v, eps: m / (squares**0.5 + eps))
            ),
            "Only the second average is corrected. The first starts too small as well.": (
                _adam(lambda average, squares, m, v, eps: average / (v**0.5 + eps))
            ),
            "You multiply by the correction. Divide by 1 - beta**step: "
            "the averages are too small.": (
                _adam(lambda average, squares, m, v, eps: average**2 / m / (squares / v**0.5 + eps))
            ),
            "One step behind in the correction: `step` is 1 at the first update, "
            "so use it as it comes, in 1 - beta**step.": _adam(_paper, late=-1),
            "One step ahead in the correction: `step` is 1 at the first update, not 0, "
            "so use it as it comes, in 1 - beta**step.": _adam(_paper, late=1),
            "eps stands inside the root. In the paper and in PyTorch it is added to the root.": (
                _adam(lambda average, squares, m, v, eps: m / (v + eps) ** 0.5)
            ),
            "The root is missing: Adam divides by the root of the average of squares.": (
                _adam(lambda average, squares, m, v, eps: m / (v + eps))
            ),
            "You move along the gradient of this step. Adam moves along the average.": (
                _along_gradient
            ),
            "You walk uphill: subtract the move.": (
                _adam(lambda average, squares, m, v, eps: -m / (v**0.5 + eps))
            ),
            "The learning rate is missing in the move.": (
                lambda p, g, a, s, step, lr, betas, eps: _adam_step(
                    p, g, a, s, step, 1.0, betas, eps
                )
            ),
            "That is the move. Return the new parameters: subtract the move from `p`.": _move_only,
            "Return three things: the new parameters and both averages.": _one_result,
        },
        tolerance=1e-7,
        returns="three things: the new parameters and both averages",
    )


@exercise("04-first-step", "the first move of RMSProp")
def check_first_step(first_step):
    try:
        move = float(first_step)
    except (TypeError, ValueError):
        raise Hint("One number is asked for: the length of the first move.") from None
    squares = (1 - 0.99) * 86**2
    wrong = {
        "That is one learning rate. It would be so with bias correction, as in Adam. "
        "What is the average of squares after its first value?": 0.01,
        "You divide by the average of squares. Take its root first.": 0.01 * 86 / squares,
        "That is the root of the average of squares: the gradient is still to be divided by it, "
        "and multiplied by the learning rate.": math.sqrt(squares),
        "That is the learning rate times the gradient, as in plain descent. "
        "RMSProp divides the gradient by its usual size.": 0.86,
        "The average of squares has kept 0.99 of the gradient's square. "
        "It starts at 0, and the new value enters with 1 - β.": 0.01 / math.sqrt(0.99),
        "That is for β = 0.9. PyTorch's RMSprop has 0.99.": 0.01 / math.sqrt(0.1),
        "You divide by √(1 - β) twice, or forgot the root: the move is lr / √(1 - β).": 1.0,
        "Multiplied in place of divided: the move is longer than one learning rate.": 0.001,
        "That is in learning rates. Multiply it by the learning rate of 0.01.": 10.0,
    }
    if near(move, 0.1, 2e-4):
        return
    for hint, number in wrong.items():
        if math.isclose(move, number, rel_tol=0.002):
            raise Hint(hint)
    if move < 0:
        raise Hint("A length is positive.")
    raise Hint(
        "First the average of squares: 0.99 · 0 + 0.01 · 86². "
        "The move is 0.01 · 86, divided by the root of that."
    )


_LETTERS = {
    "plain": "D",
    "momentum, damped": "B",
    "RMSProp": "A",
    "Adagrad": "E",
    "Adam": "C",
}


def mystery_rules() -> dict:  # letter to a list of 40 lengths, in learning rates
    "The lengths of five rules' moves, for a gradient that is 1 for 20 updates and then 0."
    gradients = [1.0] * 20 + [0.0] * 20
    lengths = {letter: [] for letter in "ABCDE"}
    average = squares = slow_squares = total = 0.0
    for step, gradient in enumerate(gradients, start=1):
        average = 0.9 * average + 0.1 * gradient
        squares = 0.9 * squares + 0.1 * gradient**2
        slow_squares = 0.999 * slow_squares + 0.001 * gradient**2
        total = total + gradient**2
        corrected = average / (1 - 0.9**step)
        lengths["A"].append(gradient / squares**0.5)
        lengths["B"].append(average)
        lengths["C"].append(corrected / (slow_squares / (1 - 0.999**step)) ** 0.5)
        lengths["D"].append(gradient)
        lengths["E"].append(gradient / total**0.5)
    return lengths


@exercise("04-which", "five rules by their curves")
def check_which(letters):
    if not isinstance(letters, dict) or set(letters) != set(_LETTERS):
        raise Hint(f"Give a letter for each of: {', '.join(_LETTERS)}.")
    letters = {name: str(letter).strip().upper() for name, letter in letters.items()}
    if not set(letters.values()) <= set("ABCDE"):
        raise Hint("Each answer is one letter from A to E.")
    if len(set(letters.values())) < 5:
        raise Hint("Each letter is the answer to one of them: one of yours stands there twice.")
    averaging = {letters["momentum, damped"], letters["Adam"]}
    if averaging != {"B", "C"}:
        raise Hint(
            "Look at the second half, where the gradient is 0. Two rules still move there, "
            "because they average gradients. Which two of the five are that?"
        )
    if letters["Adam"] != "C":
        raise Hint(
            "B and C are exchanged. One of the two corrects its average for the start at 0, "
            "and so begins with a whole learning rate."
        )
    if letters["plain"] != "D":
        raise Hint(
            "Plain descent moves by the learning rate times the gradient. "
            "The gradient is 1, twenty times: how long is each move?"
        )
    if letters["Adagrad"] != "E":
        raise Hint(
            "A and E are exchanged. Both moves become shorter. But a sum of squares begins "
            "with the whole first square, and an average that starts at 0 with a tenth of it."
        )


def _adam_moves(gradients, lr=0.1, beta1=0.9, beta2=0.999, eps=1e-8):
    return _moves("right", gradients, lr, beta1, beta2, eps)


def _moves(how, gradients, lr, beta1, beta2, eps):
    "Adam's moves, with a mistake that has a name."
    average = squares = 0.0
    moves = []
    for step, gradient in enumerate(gradients, start=1):
        old = average, squares
        average = beta1 * average + (1 - beta1) * gradient
        squares = beta2 * squares + (1 - beta2) * gradient**2
        used = {
            "both late": old,
            "squares late": (average, old[1]),
            "average late": (old[0], squares),
        }.get(how, (average, squares))
        corrections = 1 - beta1**step, 1 - beta2**step
        if how == "one less":
            corrections = 1 - beta1 ** (step - 1), 1 - beta2 ** (step - 1)
        if how == "no correction":
            corrections = 1, 1
        m, v = used[0] / corrections[0], used[1] / corrections[1]
        moves.append(lr * m / (v**0.5 + eps))
        if how == "keeps corrected":
            average, squares = m, v
    return moves


def _mistaken(how):
    "Adam's moves with one mistake."

    def adam_moves(gradients, lr=0.1, beta1=0.9, beta2=0.999, eps=1e-8):
        return _moves(how, gradients, lr, beta1, beta2, eps)

    return adam_moves


_FIRST_IS_NOTHING = (
    "The first move is still 0. Follow `average` through the first update, on paper, line by line: "
    "what is it when the move is computed? Then change the function in the cell above."
)


@exercise("04-bug", "a bug in Adam, found by its symptom")
def check_bug(adam_moves):
    compare(
        adam_moves,
        examples=[([3.0] * 5,), ([2.0, -1.0, 0.5, 4.0], 0.2), ([1.0, 1.0, 5.0], 0.1, 0.8, 0.9)],
        right=_adam_moves,
        wrong={
            _FIRST_IS_NOTHING: _mistaken("both late"),
            "Better: the average of the gradients is updated in time. "
            "The average of squares is not.": _mistaken("squares late"),
            "The average of squares is updated in time now. "
            "The average of the gradients is not.": _mistaken("average late"),
            "The order is right. But the correction should stay: "
            "without it the first moves are too long.": _mistaken("no correction"),
            "The correction was right: `step` counts from 1. "
            "Only the order of the lines is wrong.": _mistaken("one less"),
            "You keep the corrected averages. They are for this move only.": (
                _mistaken("keeps corrected")
            ),
            "The first move is left out. The list should have one for each gradient.": (
                lambda gradients, *rest: _adam_moves(gradients, *rest)[1:]
            ),
            "Your function returns after the first gradient. Is `return` indented too far?": (
                lambda gradients, *rest: _adam_moves(gradients, *rest)[:1]
            ),
            "Your moves are all one learning rate long. That is right for a constant gradient "
            "only.": lambda gradients, lr=0.1, *rest: [lr] * len(gradients),
        },
        tolerance=1e-7,
        returns="a list with a move for each gradient",
        as_found=_FIRST_IS_NOTHING,
    )


def _two_moves(move):
    "A rule's answer as an array of two numbers."
    try:
        move = np.asarray(move, dtype=float)
    except (TypeError, ValueError):
        raise Hint("Return two numbers in an array: the moves of a and of b.") from None
    if move.shape != (2,):
        raise Hint("Return two numbers in an array: the moves of a and of b.")
    return move


def _five_epochs(rule, exchanged):
    "The loss after five epochs; `exchanged` shows the rule a and b in the other order."
    x, y = points()
    ab = np.array([1.0, 1.0])
    state = SimpleNamespace(average=0.0, squares=0.0, step=0)
    turn = -1 if exchanged else 1
    with np.errstate(all="ignore"):
        for x_row, y_row in zip(np.tile(x, 5), np.tile(y, 5)):
            residual = ab[0] * x_row + ab[1] - y_row
            gradient = np.array([2 * residual * x_row, 2 * residual])[::turn].copy()
            ab = ab - _two_moves(rule(gradient, state))[::turn]
        return float(np.mean((ab[0] * x + ab[1] - y) ** 2))


@exercise("04-own-rule", "a rule of your own", parameters="gradient, state")
def check_own_rule(my_rule):
    loss = _five_epochs(my_rule, exchanged=False)
    if not loss < 5796.55:  # also where it is nan
        raise Hint(
            f"The loss after five epochs is {loss:.3g}. It was 5,797 at the start: your rule "
            "diverges or walks uphill. Is the learning rate too high, or a sign wrong?"
        )
    if not math.isclose(loss, _five_epochs(my_rule, exchanged=True), rel_tol=1e-3, abs_tol=1e-9):
        raise Hint(
            f"The loss after five epochs is {loss:.3g}, but your rule does not treat a and b "
            "alike: with the two exchanged the loss is another. (Or it remembers the first run: "
            "keep what it remembers in `state`.)"
        )
    score = f"The loss after five epochs is {loss:.3g}."
    if loss < 1:
        return f"{score} Ours is 0.0001: can you get there?"
    if loss > 240:
        raise Hint(
            f"{score} The line is on the floor of the valley, and b has hardly moved. "
            "Divide each gradient by its usual size, as RMSProp and Adam do."
        )
    if loss > 20:
        raise Hint(
            f"{score} Better than plain descent. Is the learning rate still high at the end? "
            "Lower it with `state.step`: there are 145 updates."
        )
    raise Hint(
        f"{score} You are near. Try a higher learning rate at the beginning, "
        "and shorter memories, such as betas of 0.5 and 0.99: they follow faster."
    )
