"What the exercises on momentum and Adam accept, and what they say to each mistake."

import torch

from helpers.course.exercises import Hint, exercise, near


@exercise("04-momentum", "momentum by hand, averaged form")
def check_momentum(with_momentum):
    gradient, velocity = torch.tensor([2.0, -4.0]), torch.tensor([1.0, 1.0])
    kept = velocity.clone()
    got = with_momentum(gradient, velocity)
    if not torch.equal(velocity, kept):
        raise Hint("You changed `velocity` itself; return a new value.")
    if near(got, 0.9 * velocity + gradient):
        raise Hint(
            "You sum the gradients. That is the form of PyTorch; the exercise asks for the average, whose weights add up to 1."
        )
    if near(got, 0.1 * velocity + 0.9 * gradient):
        raise Hint("The old velocity should keep the larger share: with beta = 0.9, nine tenths.")
    if near(got, 0.9 * velocity - 0.1 * gradient):
        raise Hint(
            "The sign belongs to the update. The velocity is an average of gradients as they are."
        )
    if near(got, 0.9 * velocity):
        raise Hint("This row's gradient has not entered: its weight is 1 - beta.")
    if not near(got, 0.9 * velocity + 0.1 * gradient):
        raise Hint(
            "With velocity 1, gradient 2 and beta 0.9 the new velocity is 0.9 · 1 + 0.1 · 2 = 1.1."
        )
    if not near(with_momentum(gradient, velocity, beta=0.5), 0.5 * velocity + 0.5 * gradient):
        raise Hint("Right for beta = 0.9 only: use the argument `beta`.")


@exercise("04-adam", "one step of Adam")
def check_adam(adam_step):
    double = lambda *values: torch.tensor(values, dtype=torch.float64)
    p, g, old_m, old_v, step = (
        double(1.0, 2.0, 3.0),
        double(0.5, -2.0, 1e-4),
        double(0.2, -0.1, 2e-4),
        double(0.02, 0.3, 1e-7),
        3,
    )
    lr, (b1, b2), eps = 0.1, (0.9, 0.99), 1e-4

    def right(p, m, v, t, g):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        return [p - lr * (m / (1 - b1**t)) / ((v / (1 - b2**t)).sqrt() + eps), m, v]

    got = adam_step(p, g, old_m, old_v, step, lr, (b1, b2), eps)
    if not isinstance(got, (tuple, list)) or len(got) != 3:
        raise Hint("Return three things: the new parameter and both averages.")
    (new, m, v), wanted = got, right(p, old_m, old_v, step, g)
    m_hat, v_hat = wanted[1] / (1 - b1**step), wanted[2] / (1 - b2**step)
    if near(m, m_hat, 1e-8) or near(v, v_hat, 1e-10):
        raise Hint(
            "You return the corrected averages. The next step needs the raw ones; correct only where they are used."
        )
    if not near(m, wanted[1], 1e-8):
        raise Hint("The average of gradients is not right: beta1 · old + (1 - beta1) · gradient.")
    if near(v, b2 * old_v + (1 - b2) * g, 1e-10):
        raise Hint("The second average is of the *squared* gradient.")
    if not near(v, wanted[2], 1e-10):
        raise Hint("The average of squares is not right: beta2 · old + (1 - beta2) · gradient².")
    m, v = wanted[1:]
    for other, hint in (
        (
            p - lr * m / (v.sqrt() + eps),
            "Bias correction is missing: divide the averages by 1 - beta**step before you use them.",
        ),
        (
            p - lr * m_hat / (v.sqrt() + eps),
            "Only the first average is corrected. The second starts too small as well.",
        ),
        (
            p - lr * m / (v_hat.sqrt() + eps),
            "Only the second average is corrected. The first starts too small as well.",
        ),
        (
            p - lr * (m / (1 - b1 ** (step - 1))) / ((v / (1 - b2 ** (step - 1))).sqrt() + eps),
            "One step behind in the correction: `step` counts from 1, so use it as it comes in 1 - beta**step.",
        ),
        (
            p - lr * m_hat / (v_hat + eps).sqrt(),
            "eps stands inside the root. In the paper and in PyTorch it is added to the root.",
        ),
        (
            p - lr * m_hat / (v_hat + eps),
            "The root is missing: Adam divides by the root of the average of squares.",
        ),
        (
            p - lr * g / (v_hat.sqrt() + eps),
            "You move along the gradient of this step. Adam moves along the average.",
        ),
        (p + lr * m_hat / (v_hat.sqrt() + eps), "You walk uphill: subtract the step."),
    ):
        if near(new, other, 1e-9):
            raise Hint(hint)
    if not near(new, wanted[0], 1e-9):
        raise Hint(
            f"The averages are right, the parameter is not: the first should go from 1 to {wanted[0][0]:.4f}, yours goes to {float(new[0]):.4f}."
        )
    if not near(
        list(adam_step(*wanted[:1], -g, *wanted[1:], 4, lr, (b1, b2), eps)),
        right(*wanted, 4, -g),
        1e-9,
    ):
        raise Hint(
            "Right in one step, not in the next. Does your code use `step`, and the averages that it was given?"
        )
