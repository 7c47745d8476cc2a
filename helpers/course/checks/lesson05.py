"What the exercises on optimizers accept, and what they say to each mistake."

import math

import torch
import torch.nn.functional as F
from torch import nn

from helpers.course.exercises import Hint, NotYet, compare, exercise, near, read_entry


def _moved(params, grads, lr, rule):
    return [p - lr * rule(g) for p, g in zip(params, grads)]


@exercise("05-sign", "the step of an optimizer", parameters="params, lr")
def check_sign(step):
    generator = torch.Generator().manual_seed(0)
    starts = [torch.randn(3, 2, generator=generator), torch.randn(4, generator=generator)]
    grads = [torch.randn(3, 2, generator=generator), torch.randn(4, generator=generator)]
    grads[1][0] = 0.0
    params = [start.clone().requires_grad_() for start in starts]
    waiting = torch.ones(2, requires_grad=True)  # the loss did not depend on it
    for p, grad in zip(params, grads):
        p.grad = grad.clone()
    try:
        answer = step(params, 0.1)
    except RuntimeError as error:
        if "in-place" in str(error):
            raise Hint(
                "PyTorch records what is done with parameters, and refuses to change them in "
                "place meanwhile. Put the update under `with torch.no_grad():`."
            ) from None
        raise
    if answer is ...:
        raise NotYet("Write your lines in the cell above, and run the cell again.")
    found = [p.detach() for p in params]
    if near(found, starts):
        raise Hint("The parameters have not moved. `p -= …` changes them; `p = p - …` does not.")
    if near(found[:1], _moved(starts, grads, 0.1, torch.sign)[:1]) and near(found[1], starts[1]):
        raise Hint("Only the first parameter has moved. Does the function return inside the loop?")
    if near(found, _moved(starts, grads, -0.1, torch.sign)):
        raise Hint("That goes uphill: the move has to be subtracted.")
    if near(found, _moved(starts, grads, 0.1, lambda grad: grad)):
        raise Hint("That is plain descent. Take the sign of the gradient: `torch.sign`.")
    if near(found, _moved(starts, grads, 1.0, torch.sign)):
        raise Hint("The moves are 1 long. Multiply them by the learning rate.")
    if near(found, _moved(starts, grads, 0.1, lambda grad: grad / (grad.norm() + 1e-8))):
        raise Hint("You divide a whole tensor by its length. Each number has a sign of its own.")
    if not near(found, _moved(starts, grads, 0.1, torch.sign)):
        raise Hint(
            "Each number should move by lr, against the sign of its gradient, and stay where the "
            "gradient is 0."
        )
    if any(p.grad is None or not near(p.grad, grad) for p, grad in zip(params, grads)):
        raise Hint("Leave the gradients as they are: to clear them is the work of `zero_grad`.")
    try:
        step([waiting], 0.1)
    except (TypeError, AttributeError, RuntimeError):
        raise Hint(
            "If the loss does not depend on a parameter, its `.grad` is None. Leave such a "
            "parameter where it is."
        ) from None
    if not near(waiting.detach(), torch.ones(2)):
        raise Hint("A parameter without a gradient has moved. Leave it where it is.")


@exercise("05-memory", "what Adam has to remember")
def check_memory(remembered):
    try:
        remembered = float(remembered)
    except (TypeError, ValueError):
        raise Hint("One number is asked for, or an expression such as `3 * 1000`.") from None
    parameters = 784 * 50 + 50 + 50 * 10 + 10
    if near(remembered, 2 * parameters):
        return
    mistakes = {
        parameters: "That is one number for each parameter. Adam keeps two averages.",
        3 * parameters: "Adam keeps two averages. The parameters themselves are not its memory.",
        4 * parameters: "Adam keeps two averages. Parameters and gradients are not its memory.",
        2 * 784 * 50: "These are the weights of the first layer alone. There are four tensors.",
        2 * (784 * 50 + 50 * 10): "The biases have averages, too.",
        2: "Two averages, yes, but for each parameter of the net.",
        8: "Two averages for each of the four tensors, yes. How many numbers are in the tensors?",
    }
    for number, words in mistakes.items():
        if near(remembered, number):
            raise Hint(words)
    if 0 < remembered - 2 * parameters <= 4:
        raise Hint("Leave out the counters of the steps, and count the averages only.")
    raise Hint("Count the parameters of the net first (lesson 03 did). How many averages has each?")


def _adam(gradients, average=0.0, squares=0.0, correct=True, inside=False):
    "Moves of an Adam, right or with a mistake, in learning rates."
    moves = []
    for step, gradient in enumerate(gradients, start=1):
        average = 0.9 * average + 0.1 * gradient
        squares = 0.999 * squares + 0.001 * gradient**2
        m, v = average, squares
        if correct:
            m, v = average / (1 - 0.9**step), squares / (1 - 0.999**step)
        moves.append(m / (math.sqrt(v + 1e-8) if inside else math.sqrt(v) + 1e-8))
    return moves


def suspects() -> dict:  # letter to a dictionary: trial to list of five moves
    """The first five moves of four Adams in three trials, in learning rates.

    One Adam is right. One forgets bias correction, one has eps inside the root, and one keeps its
    averages on the parameter."""
    old = dict(average=1 - 0.9**50, squares=1 - 0.999**50)  # after fifty gradients of 1
    makes = {
        "A": (dict(inside=True), {}),
        "B": ({}, old),
        "C": (dict(correct=False), {}),
        "D": ({}, {}),
    }
    trials = {}
    for letter, (mistake, left) in makes.items():
        trials[letter] = {
            "gradient 1": _adam([1.0] * 5, **mistake),
            "gradient 0.000001": _adam([1e-6] * 5, **mistake),
            "a new one, gradient -1": _adam([-1.0] * 5, **mistake, **left),
        }
    return trials


_RIGHT = {
    "as it should be": "D",
    "no bias correction": "C",
    "eps inside the root": "A",
    "averages kept on the parameter": "B",
}


@exercise("05-suspects", "three suspects, found by their moves")
def check_suspects(verdict):
    if not isinstance(verdict, dict) or set(verdict) != set(_RIGHT):
        raise Hint(f"Give a letter for each of: {', '.join(_RIGHT)}.")
    verdict = {name: str(letter).strip().upper() for name, letter in verdict.items()}
    if set(verdict.values()) != set("ABCD"):
        raise Hint("Use each of the letters A, B, C and D once.")
    if verdict == _RIGHT:
        return
    if verdict["no bias correction"] != "C":
        raise Hint(
            "Without bias correction the moves are too long from the first one on, also with a "
            "constant gradient. Lesson 04 has the numbers: 3.2, and growing."
        )
    if verdict["averages kept on the parameter"] != "B":
        raise Hint(
            "Look at the third trial. A new optimizer knows no earlier gradient, so its first "
            "move has the sign of the new one. Which Adam first moves the wrong way?"
        )
    raise Hint(
        "A and D differ in the second trial only. The gradient is 0.000001. Outside the root, eps "
        "= 1e-8 is small beside it. Inside the root it acts like its root, 1e-4."
    )


def _velocities(gradients, beta=0.9, shared=False, reset=False, damped=False, late=False):
    "Velocities of several parameters, update after update."
    count = len(gradients[0])
    velocities = [[0.0]] * count if shared else [[0.0] for _ in range(count)]
    moves = []
    for row in gradients:
        if reset:
            velocities = [[0.0] for _ in range(count)]
        if late:
            moves.append([velocity[0] for velocity in velocities])
        for velocity, gradient in zip(velocities, row):
            velocity[0] = beta * velocity[0] + (1 - beta if damped else 1) * gradient
        if not late:
            moves.append([velocity[0] for velocity in velocities])
    return moves


def _mistaken(**mistake):
    return lambda gradients, beta=0.9: _velocities(gradients, beta, **mistake)


def _right_velocities(gradients, beta=0.9):
    return _velocities(gradients, beta)


_SHARED = (
    "All parameters have the same velocity: the gradients of one push the others. "
    "How many inner lists does `[[0.0]] * 2` make? Change the function in the cell above."
)


@exercise("05-bug", "a bug in momentum, found by its symptom")
def check_bug(momentum_velocities):
    compare(
        momentum_velocities,
        examples=[
            ([[1.0, -2.0], [1.0, -2.0], [1.0, 0.0]],),
            ([[3.0], [1.0], [-2.0]],),
            ([[0.0, 1.0, 2.0], [1.0, 1.0, -1.0]], 0.5),
        ],
        right=_right_velocities,
        wrong={
            _SHARED: _mistaken(shared=True),
            "Now each update begins with velocities of 0, so nothing is remembered. "
            "They should begin once, before the loop.": _mistaken(reset=True),
            "That is the damped form. The factor 1 - beta was not missing: "
            "the friend uses PyTorch's form.": _mistaken(damped=True),
            "Now the velocities are noted before the gradients are added.": _mistaken(late=True),
        },
        returns="a list with the velocities of all parameters for each update",
        as_found=_SHARED,
    )


UPDATES = 156  # whole batches of 64 in 10,000 pictures


def _misread(digits, make):
    "Misread validation pictures after one epoch with 10,000, the mean of two seeds."
    (x, y), (valid_x, valid_y) = digits.train, digits.valid
    x, y = x[: 64 * UPDATES].cpu(), y[: 64 * UPDATES].cpu()
    wrong = []
    for seed in range(2):
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(x.shape[1], 50), nn.ReLU(), nn.Linear(50, 10))
        optimizer = make(list(model.parameters()))
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
        for rows in order.split(64):
            F.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
            for p in model.parameters():
                p.grad = None
        with torch.no_grad():
            readings = model(valid_x.cpu()).argmax(1)
        wrong.append((readings != valid_y.cpu()).double().mean().item())
    return sum(wrong) / len(wrong)


@exercise("05-own", "an optimizer of your own against Adam")
def check_own(entry):
    digits, MyOptimizer = read_entry(entry, "MyOptimizer", "class")
    if not hasattr(MyOptimizer, "step"):
        raise Hint("Your class needs a method `step`, which moves the parameters.")
    if callable(digits):
        digits = digits()
    torch.set_num_threads(1)  # nets this small gain nothing from a second core
    try:
        misread = _misread(digits, MyOptimizer)
    except NotImplementedError:
        raise NotYet("Write the method `step` in the cell above, and run the cell again.") from None
    theirs = _misread(digits, lambda params: torch.optim.Adam(params, lr=0.01))
    score = (
        f"It misreads {misread:.1%} of the validation pictures, and Adam at 0.01 {theirs:.1%} "
        "(means of two seeds)."
    )
    if misread <= 0.9 * theirs:
        return f"{score} Can you get lower?"
    if misread > 0.6:
        raise Hint(f"{score} It diverged, or it hardly moved: try another learning rate.")
    if misread <= 1.1 * theirs:
        raise Hint(
            f"{score} About as good as Adam. What did lesson 04 do with the learning rate towards "
            f"the end? An epoch has {UPDATES} updates."
        )
    raise Hint(
        f"{score} Take Adam, with a higher learning rate, and lower it on the way: "
        f"an epoch has {UPDATES} updates."
    )
