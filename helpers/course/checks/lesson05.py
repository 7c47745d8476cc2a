"What the exercise on optimizers accepts, and what it says to each mistake."

import torch

from helpers.course.exercises import Hint, exercise


def suspects(
    steps: int = 5,
    betas: tuple = (0.8, 0.99),
) -> dict:  # letter to list of step lengths
    """Step lengths of four Adams on a constant gradient.

    One is right, three forget a bias correction."""
    t = torch.arange(1, steps + 1, dtype=torch.float64)
    first = 1 - betas[0] ** t
    second = (1 - betas[1] ** t).sqrt()
    return {
        "A": (1 / second).tolist(),
        "B": torch.ones(steps).tolist(),
        "C": first.tolist(),
        "D": (first / second).tolist(),
    }


_RIGHT = {"both": "B", "none": "D", "only the first": "A", "only the second": "C"}


@exercise("05-suspects", "spot the missing bias correction")
def check_suspects(verdict):
    if not isinstance(verdict, dict) or set(verdict) != set(_RIGHT):
        raise Hint(f"Give a letter for each of: {', '.join(_RIGHT)}.")
    verdict = {name: str(letter).strip().upper() for name, letter in verdict.items()}
    if verdict["both"] != "B":
        raise Hint(
            "With both corrections a constant gradient is divided by its own size: "
            "each step is exactly one learning rate long."
        )
    if verdict["only the second"] != "C":
        raise Hint(
            "If the average of gradients starts at zero and is not corrected, "
            "the steps grow like 1 - 0.8**step: 0.2, 0.36, and so on."
        )
    if (verdict["none"], verdict["only the first"]) == ("A", "D"):
        raise Hint(
            "A and D are mixed up. The root of the squares is too small by 10 in the first step. "
            "Which is worse: that alone, or together with a first average that is too small by 5?"
        )
    if verdict != _RIGHT:
        raise Hint("Each letter belongs to one of them.")
