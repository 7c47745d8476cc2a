"What the exercises on momentum and Adam accept, and what they say to each mistake."

import torch

from helpers.course.exercises import compare, exercise


def _with_momentum(gradient, velocity, beta=0.9):
    return beta * velocity + (1 - beta) * gradient


@exercise("04-momentum", "momentum by hand, averaged form")
def check_momentum(with_momentum):
    gradient = torch.tensor([2.0, -4.0])
    velocity = torch.tensor([1.0, 1.0])
    compare(
        with_momentum,
        examples=[(gradient, velocity), (gradient, velocity, 0.7)],
        right=_with_momentum,
        wrong={
            "You sum the gradients. That is the form of PyTorch; "
            "the exercise asks for the average, whose weights add up to 1.": (
                lambda g, v, beta=0.9: beta * v + g
            ),
            "The old velocity should keep the larger share: with beta = 0.9, nine tenths.": (
                lambda g, v, beta=0.9: (1 - beta) * v + beta * g
            ),
            "The sign belongs to the update. "
            "The velocity is an average of gradients as they are.": (
                lambda g, v, beta=0.9: beta * v - (1 - beta) * g
            ),
            "This row's gradient has not entered: its weight is 1 - beta.": (
                lambda g, v, beta=0.9: beta * v
            ),
            "The old velocity has not entered: its weight is beta.": (
                lambda g, v, beta=0.9: (1 - beta) * g
            ),
            "Right for beta = 0.9 only: use the argument `beta`.": (
                lambda g, v, beta=0.9: 0.9 * v + 0.1 * g
            ),
        },
        returns="the new velocity, a tensor like the old one",
    )


def _averages(gradient, average, squares, betas):
    average = betas[0] * average + (1 - betas[0]) * gradient
    squares = betas[1] * squares + (1 - betas[1]) * gradient**2
    return average, squares


def _corrected(average, squares, step, betas):
    return average / (1 - betas[0] ** step), squares / (1 - betas[1] ** step)


def _adam(move):
    "A step of Adam; `move` gives its direction from the averages and the corrected averages."

    def adam_step(p, gradient, average, squares, step, lr, betas, eps):
        average, squares = _averages(gradient, average, squares, betas)
        m, v = _corrected(average, squares, step, betas)
        return p - lr * move(average, squares, m, v, eps), average, squares

    return adam_step


_adam_step = _adam(lambda average, squares, m, v, eps: m / (v.sqrt() + eps))


def _keeps_corrected(first, second):
    "A step of Adam that returns corrected averages in place of the raw ones."

    def adam_step(p, gradient, average, squares, step, lr, betas, eps):
        new, average, squares = _adam_step(p, gradient, average, squares, step, lr, betas, eps)
        m, v = _corrected(average, squares, step, betas)
        return new, m if first else average, v if second else squares

    return adam_step


def _step_from_zero(p, gradient, average, squares, step, lr, betas, eps):
    average, squares = _averages(gradient, average, squares, betas)
    m, v = _corrected(average, squares, step - 1, betas)
    return p - lr * m / (v.sqrt() + eps), average, squares


def _along_gradient(p, gradient, average, squares, step, lr, betas, eps):
    average, squares = _averages(gradient, average, squares, betas)
    _, v = _corrected(average, squares, step, betas)
    return p - lr * gradient / (v.sqrt() + eps), average, squares


def _not_squared(p, gradient, average, squares, step, lr, betas, eps):
    average, _ = _averages(gradient, average, squares, betas)
    squares = betas[1] * squares + (1 - betas[1]) * gradient
    m, v = _corrected(average, squares, step, betas)
    return p - lr * m / (v.sqrt() + eps), average, squares


def _small_share(p, gradient, average, squares, step, lr, betas, eps):
    opposite = (1 - betas[0], 1 - betas[1])
    average, squares = _averages(gradient, average, squares, opposite)
    m, v = _corrected(average, squares, step, betas)
    return p - lr * m / (v.sqrt() + eps), average, squares


def _one_average(p, gradient, average, squares, step, lr, betas, eps):
    return _adam_step(p, gradient, average, squares, step, lr, betas, eps)[0]


@exercise("04-adam", "one step of Adam")
def check_adam(adam_step):
    p = torch.tensor([1.0, 2.0, 3.0])
    gradient = torch.tensor([0.5, -2.0, 1e-4])
    average = torch.tensor([0.2, -0.1, 2e-4])
    squares = torch.tensor([0.02, 0.3, 1e-7])
    rest = (0.1, (0.9, 0.99), 1e-4)
    compare(
        adam_step,
        examples=[
            (p, gradient, average, squares, 3, *rest),
            (2 * p, -gradient, average / 2, 3 * squares, 4, *rest),
        ],
        right=_adam_step,
        wrong={
            "You return the corrected averages. The next step needs the raw ones; "
            "correct only where they are used.": (
                _keeps_corrected(True, True),
                _keeps_corrected(True, False),
                _keeps_corrected(False, True),
            ),
            "The second average is of the *squared* gradient.": _not_squared,
            "The averages are not right: the old one keeps beta, "
            "and 1 - beta goes to the gradient, or to its square.": _small_share,
            "Bias correction is missing: "
            "divide the averages by 1 - beta**step before you use them.": (
                _adam(lambda average, squares, m, v, eps: average / (squares.sqrt() + eps))
            ),
            "Only the first average is corrected. The second starts too small as well.": (
                _adam(lambda average, squares, m, v, eps: m / (squares.sqrt() + eps))
            ),
            "Only the second average is corrected. The first starts too small as well.": (
                _adam(lambda average, squares, m, v, eps: average / (v.sqrt() + eps))
            ),
            "One step behind in the correction: `step` counts from 1, "
            "so use it as it comes in 1 - beta**step.": _step_from_zero,
            "eps stands inside the root. In the paper and in PyTorch it is added to the root.": (
                _adam(lambda average, squares, m, v, eps: m / (v + eps).sqrt())
            ),
            "The root is missing: Adam divides by the root of the average of squares.": (
                _adam(lambda average, squares, m, v, eps: m / (v + eps))
            ),
            "You move along the gradient of this step. Adam moves along the average.": (
                _along_gradient
            ),
            "You walk uphill: subtract the step.": (
                _adam(lambda average, squares, m, v, eps: -m / (v.sqrt() + eps))
            ),
            "Return three things: the new parameter and both averages.": _one_average,
        },
        returns="three things: the new parameter and both averages",
    )
