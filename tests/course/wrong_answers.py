"""Plausible wrong answers to every exercise, each with words that the fitting hint must contain.

Those of pure functions stand in the checks, as wrong solutions with their hints. What is no pure
function, or no solution at all, stands in the modules beside this file: `wrong_by_hand`, and one
`wrong_lessonNN` where a lesson has its own.

`python tests/course/wrong_answers.py` prints how many there are."""

import importlib
from pathlib import Path

from helpers.course.exercises import exercises


def wrong_answers() -> dict:  # name of each exercise to a list of pairs (answer, words)
    "All wrong answers that the tests try."
    answers = {}
    for name, registered in exercises().items():
        _, wrong = registered.solutions() or ((), [])
        answers[name] = [(solution, hint) for hint, solution in wrong]
    for module in sorted(Path(__file__).parent.glob("wrong_*.py")):
        if module.stem != "wrong_answers":
            for name, more in importlib.import_module(module.stem).WRONG.items():
                answers[name] += more
    return answers


WRONG = wrong_answers()

if __name__ == "__main__":
    print(f"{len(WRONG)} exercises, {sum(map(len, WRONG.values()))} plausible wrong answers")
