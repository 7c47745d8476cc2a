"Every exercise checks itself, with a hint for the mistake made; every question has an answer."

import ctypes
import functools
import importlib
import inspect
import pkgutil
import threading
import traceback
from dataclasses import dataclass
from pathlib import Path

import torch

import helpers
from helpers.course.figures import Table, largest_difference
from helpers.course.front import progress_file, progress_problem, remember, solved
from helpers.course.settings import best_device, settings


class Hint(Exception):
    "What is wrong with an answer, and what to look at next."


class NotYet(Hint):
    "There is no answer so far."


@dataclass(frozen=True)
class Verdict:
    "What a check found."

    status: str  # 'not yet', 'not right' or 'solved'
    message: str  # the hint, empty when solved


_EXERCISES = {}  # name to (title, check function), filled by the modules in helpers.course.checks


def exercise(
    name: str,  # lesson and key word, for instance '01-update'
    title: str,  # for the progress table
):
    "Register the decorated function as the check of an exercise. It is called with the learner's answer and raises a `Hint` unless that is right."

    def register(function):
        _EXERCISES[name] = (title, function)
        return function

    return register


def _load(lesson=None):
    "Import the checks of one lesson, or of all."
    import helpers.course.checks as package

    for module in pkgutil.iter_modules(package.__path__):
        if lesson is None or module.name == f"lesson{lesson}":
            importlib.import_module(f"helpers.course.checks.{module.name}")


def near(
    got,
    wanted,  # numbers, tensors, or sequences of them
    tolerance: float = 1e-5,  # largest difference allowed, absolute up to 1, relative above
) -> bool:
    "True if two results have the same shape and nearly the same values."
    size = max(
        (
            float(torch.as_tensor(part).detach().abs().max())
            for part in (wanted if isinstance(wanted, (list, tuple)) else [wanted])
        ),
        default=1.0,
    )
    try:
        return largest_difference(got, wanted) <= tolerance * max(1.0, size)
    except (ValueError, TypeError, RuntimeError):
        return False


class _OutOfTime(BaseException):
    "Raised inside an answer that runs too long."


def _guarded(function, seconds):
    "Run a function in a thread; its result, its exception, or `_OutOfTime` when the seconds are over."
    outcome = {}

    def run():
        try:
            outcome["result"] = function()
        except BaseException as error:
            outcome["error"] = error

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    for _ in range(20):
        if not thread.is_alive():
            break
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident), ctypes.py_object(_OutOfTime)
        )
        thread.join(0.1)
    if "error" not in outcome and "result" not in outcome:
        return _OutOfTime()
    return outcome.get("error")


def _asking(answer):
    "A learner's function that says so when it returns nothing; anything else as it is."
    if not inspect.isfunction(answer):
        return answer

    @functools.wraps(answer)
    def ask(*args, **kwargs):
        result = answer(*args, **kwargs)
        if result is None or result is NotImplemented or result is ...:
            raise NotYet(
                f"Your function `{answer.__name__}` returned {result}; it should return its result."
            )
        return result

    return ask


def _in_their_words(error):
    "An exception out of a learner's code, with the line it happened in."
    ours = str(Path(helpers.__file__).parent)
    theirs = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(ours)
        and "site-packages" not in frame.filename
        and "threading" not in frame.filename
    ]
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if not theirs:
        return f"The check could not use your answer ({what}). Look at what it returns: is it a number or tensor of the shape asked for?"
    return f"Your code raised {what}, in line {theirs[-1].lineno}: `{theirs[-1].line}`"


def judge(
    name: str,  # the exercise
    *answers,  # what the learner wrote: a function, a class, a value
    seconds: float = 10,  # how long the answer may run
) -> Verdict:
    "Check an answer without recording it. `KeyError` for an exercise that does not exist."
    _load(name.split("-")[0])
    if name not in _EXERCISES:
        raise KeyError(
            f"There is no exercise {name!r}. Known in this lesson: {', '.join(sorted(n for n in _EXERCISES if n[:2] == name[:2]))}."
        )
    if any(answer is None or answer is ... for answer in answers):
        return Verdict("not yet", "Replace the `...` by your answer and run the cell again.")
    error = _guarded(lambda: _EXERCISES[name][1](*map(_asking, answers)), seconds)
    match error:
        case None:
            return Verdict("solved", "")
        case NotYet():
            return Verdict("not yet", str(error))
        case Hint():
            return Verdict("not right", str(error))
        case NotImplementedError():
            return Verdict(
                "not yet", "Your code still raises NotImplementedError; write the missing lines."
            )
        case _OutOfTime():
            return Verdict(
                "not right",
                f"Your code was still running after {seconds:g} seconds. Is there a loop that never ends?",
            )
        case _:
            return Verdict("not right", _in_their_words(error))


def check(
    name: str,  # the exercise, for instance '01-update'
    *answers,  # your function, class or value
    seconds: float = 10,  # how long your code may run
):
    "Check an answer, print what was found, and remember it when it is right."
    verdict = judge(name, *answers, seconds=seconds)
    if verdict.status != "solved":
        return print(f"{name}: {verdict.status}. {verdict.message}")
    kept = remember(name)
    lesson = [n for n in _EXERCISES if n[:2] == name[:2]]
    done = sum(n in solved() for n in lesson) if kept else "?"
    print(f"{name}: solved. {done} of {len(lesson)} exercises of this lesson are done.")
    if not kept:
        print(f"Not remembered: {progress_problem() or f'{progress_file()} cannot be written.'}")


def progress() -> Table:
    "A table of all exercises: which are solved, and when."
    _load()
    done = solved()
    if problem := progress_problem():
        print(problem)
    return Table(
        ["exercise", "what you write", "state"],
        [
            [name, title, f"solved on {done[name]}" if name in done else "open"]
            for name, (title, _) in sorted(_EXERCISES.items())
        ],
    )


def begin(
    lesson: str,  # its number, for instance '01'
):
    "First call of a lesson: say on what it runs, and how far you have come."
    chosen = settings()
    _load(lesson)
    names = [name for name in _EXERCISES if name.startswith(lesson)]
    print(
        f"Lesson {lesson} on {best_device()}, {chosen.size} size, seed {chosen.seed}. {sum(name in solved() for name in names)} of {len(names)} exercises solved so far."
    )
    if problem := progress_problem():
        print(problem)


def then_and_now(
    rows: list,  # tuples: what was said, does it hold (True, False, None for "in part", 'not shown'), what was found, the section that checked it
) -> Table:
    "The lesson's table of claims, each with the verdict of an executed cell."
    words = {True: "holds", False: "does not hold", None: "in part", "not shown": "not shown"}

    def verdict(holds):
        return words[holds if holds is None or isinstance(holds, str) else bool(holds)]

    return Table(
        ["said", "verdict", "found here", "checked in"],
        [[said, verdict(holds), found, where] for said, holds, found, where in rows],
    )
