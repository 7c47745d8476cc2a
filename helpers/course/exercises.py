"Every exercise checks itself, with a hint for the mistake made; every question has an answer."

import copy
import ctypes
import functools
import importlib
import inspect
import math
import pkgutil
import re
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch

import helpers
from helpers.course.figures import Table, largest_difference
from helpers.course.front import progress_file, read_progress, remember
from helpers.course.settings import best_device, settings


class Hint(Exception):
    "What is wrong with an answer, and what to look at next."


class NotYet(Hint):
    "There is no answer so far."


# The exercises there are


@dataclass(frozen=True)
class Exercise:
    "One exercise, as a module of `helpers.course.checks` registers it."

    title: str  # for the progress table
    check: Callable  # raises a `Hint` unless the answer it is called with is right

    def solutions(self) -> tuple:  # (right solutions, list of (hint, wrong solution)), or ()
        "What the check hands to `compare`; nothing for a check that does not use it."
        try:
            self.check(_WHICH_SOLUTIONS)
        except _Solutions as solutions:
            return solutions.args
        except Exception:  # a check of another kind cannot use this answer
            return ()
        return ()


_EXERCISES = {}  # name to Exercise


def exercise(
    name: str,  # lesson and key word, for instance '01-update'
    title: str,  # for the progress table
):
    """Register the decorated function as the check of an exercise.

    It is called with the learner's answer and raises a `Hint` unless that is right."""

    def register(function):
        _EXERCISES[name] = Exercise(title, function)
        return function

    return register


def exercises(
    lesson: str = "",  # its number, for instance '01'; all lessons by default
) -> dict:  # name to Exercise, in the order of the names
    "The exercises of a lesson, or of all."
    import helpers.course.checks as checks

    for module in pkgutil.iter_modules(checks.__path__):
        if module.name.startswith(f"lesson{lesson}"):
            importlib.import_module(f"helpers.course.checks.{module.name}")
    names = sorted(name for name in _EXERCISES if name.startswith(lesson))
    return {name: _EXERCISES[name] for name in names}


# Comparing results


def _plain(result):
    "A result in a form that can be compared: iterators as lists, sparse tensors as dense ones."
    if isinstance(result, (Iterator, range, type({}.keys()), type({}.values()))):
        return list(islice(result, 1000))
    if torch.is_tensor(result):
        result = result.detach()
        return result.to_dense() if result.is_sparse else result
    return result


def _shape(value):
    "The shape of a number, tensor or array, as a list; None for what has none."
    if isinstance(value, (str, dict, set, list, tuple)):
        return None
    try:
        return list(torch.as_tensor(value).shape)
    except (ValueError, TypeError, RuntimeError):
        return None


def _items(value):
    "The members of a list, tuple, tensor or array; None for anything else."
    if isinstance(value, (list, tuple)):
        return list(value)
    return list(value) if _shape(value) else None


def _same_form(result, expected):
    "True if one has the structure and the shapes of the other."
    if isinstance(expected, Exception):
        return type(result) is type(expected)
    if isinstance(expected, (list, tuple)) or isinstance(result, (list, tuple)):
        actual = _items(result)
        right = _items(expected)
        if actual is None or right is None or len(actual) != len(right):
            return False
        return all(map(_same_form, actual, right))
    if expected is None or isinstance(expected, (str, bool)):
        return type(_as_bool(result)) is type(expected)
    shape = _shape(result)
    if _shape(expected) == []:  # one number, and that may come as a tensor
        return shape is not None and math.prod(shape) == 1
    return shape is not None and shape == _shape(expected)


def _as_bool(value):
    "A truth value of NumPy or PyTorch as Python's; anything else as it is."
    if isinstance(value, np.bool_) or torch.is_tensor(value) and value.dtype == torch.bool:
        return bool(value) if _shape(value) == [] else value
    return value


def _words(error):
    "The words of an error message, in no order: that of names in it may be accidental."
    return sorted(re.findall(r"\w+", str(error)))


def _size(value):
    "The largest finite number in a value, and at least 1."
    numbers = torch.as_tensor(value).detach().double().abs()
    numbers = numbers[numbers.isfinite()]
    return max(1.0, float(numbers.max())) if numbers.numel() else 1.0


def near(
    result,  # a number, text, tensor or array, or a sequence of them; or an exception
    expected,  # the same
    tolerance: float = 1e-5,  # largest difference allowed, absolute up to 1, relative above
) -> bool:
    "True if two results have the same form and nearly the same values."
    if not _same_form(result, expected):
        return False
    if isinstance(expected, Exception):
        return _words(result) == _words(expected)
    if isinstance(expected, (list, tuple)) or isinstance(result, (list, tuple)):
        pairs = zip(_items(result), _items(expected))
        return all(near(actual, right, tolerance) for actual, right in pairs)
    if expected is None or isinstance(expected, (str, bool)):
        return _as_bool(result) == expected
    if _shape(expected) == []:
        result = torch.as_tensor(result, dtype=torch.float64).reshape(())
    return largest_difference(result, expected) <= tolerance * _size(expected)


# What a hint says of a result


def _describe(value):
    "What kind of thing a value is, in words."
    if isinstance(value, (list, tuple)):
        parts = [_describe(part) for part in value]
        if len(parts) == 2 and parts[0] != parts[1] and any(map(_shape, value)):
            return " and ".join(parts)
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, str):
        return f"the text {value!r}"
    if isinstance(_as_bool(value), bool):
        return f"{value}"
    shape = _shape(value)
    if shape is None:
        return f"a {type(value).__name__}"
    return f"a tensor of shape {shape}" if shape else f"one number, {_show(value)}"


def _show(value, digits=4):
    "A value as text: numbers rounded, a large tensor by its shape alone."
    if isinstance(value, (list, tuple)):
        text = ", ".join(_show(part, digits) for part in value)
        return f"({text})" if isinstance(value, tuple) else f"[{text}]"
    shape = _shape(value)
    if shape is None or isinstance(_as_bool(value), bool):
        return getattr(value, "__name__", None) or repr(value)
    if not shape:
        return f"{float(value):.{digits}g}"
    if math.prod(shape) > 8:
        return f"a tensor of shape {shape}"
    return _show(torch.as_tensor(value).tolist(), digits)


def _show_arguments(function, arguments):
    "'a = 1, b = 2': the arguments of a call by the names that the function has for them."
    names = inspect.signature(function).parameters
    return ", ".join(f"{name} = {_show(value)}" for name, value in zip(names, arguments))


def _contrast(result, expected, tolerance):
    "'it should be …; yours is …', of the part that is wrong."
    if isinstance(expected, (list, tuple)) and any(map(_items, expected)):
        for number, (actual, right) in enumerate(zip(_items(result), expected), start=1):
            if not near(actual, right, tolerance):
                return f"in result {number}, {_contrast(actual, right, tolerance)}"
    shape = _shape(expected)
    if shape and math.prod(shape) > 8:
        actual = torch.as_tensor(result).detach().double()
        right = torch.as_tensor(expected).detach().double()
        worst = (actual - right).abs().nan_to_num(torch.inf).argmax()
        position = [int(n) for n in np.unravel_index(int(worst), shape)]
        value = _show(right[tuple(position)])
        return (
            f"the number at {position} should be {value}; yours is {_show(actual[tuple(position)])}"
        )
    return f"it should be {_show(expected)}; yours is {_show(result)}"


# Comparing an answer with solutions


class _Solutions(Exception):
    "Raised by `compare` instead of comparing: the right solutions and the wrong ones."


_WHICH_SOLUTIONS = object()  # the answer for which `compare` raises `_Solutions`


def _outcome(function, arguments):
    "What a function makes of its arguments: a result, or the exception it raised."
    try:
        return _plain(function(*arguments))
    except Hint:
        raise
    except Exception as error:
        return error


def _changed(arguments, originals, names):
    "The name of the first argument that is no longer as it was; '' if there is none."
    for name, argument, original in zip(names, arguments, originals):
        if isinstance(original, (dict, set)):
            same = argument == original
        else:
            same = callable(original) or near(argument, original, 1e-9)
        if not same:
            return name
    return ""


def _wrong_solutions(wrong):
    "Pairs (hint, solution) of a dictionary whose values are solutions, or tuples of them."
    pairs = []
    for hint, solutions in wrong.items():
        if not isinstance(solutions, tuple):
            solutions = (solutions,)
        for solution in solutions:
            pairs.append((hint, solution))
    return pairs


def _fitting_hint(
    wrong,  # hint to solutions, as for `compare`
    examples,
    outcomes,  # of the answer, one for each example
    failures,  # numbers of the examples where the answer is wrong
    tolerance,
    exactly,  # True: only a solution that agrees on all examples counts
):
    "The hint of the wrong solution that an answer is or resembles most; '' if it is like none."
    best_hint = ""
    best_agreement = 0
    for hint, solution in _wrong_solutions(wrong):
        agreement = []
        for example, outcome in zip(examples, outcomes):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a wrong solution's warnings help nobody
                other = _outcome(solution, copy.deepcopy(example))
            agreement.append(near(outcome, other, tolerance))
        if all(agreement):
            return hint
        telling = sum(agreement[n] for n in failures)
        if telling > best_agreement:
            best_hint = hint
            best_agreement = telling
    if exactly or 2 * best_agreement < len(failures):
        return ""
    return best_hint


def compare(
    answer: Callable,  # the learner's function
    examples: list,  # tuples of arguments
    right: Callable,  # the right solution, or several in a tuple, the first with the lesson's names
    wrong: dict = {},  # hint to the wrong solution that it answers, or to several in a tuple
    tolerance: float = 1e-5,  # largest difference allowed, absolute up to 1, relative above
    returns: str = "",  # what is asked for in words, for instance 'a list of five numbers'
):
    """Raise a `Hint` unless a function gives on all examples what the right one gives.

    A wrong solution fits an answer with which it agrees on all examples. If there is none, the one
    counts that agrees on most of those where the answer is wrong, on half of them at least: where
    the answer is right, to agree means little. An error counts as a result, which a wrong solution
    may have in common with the answer."""
    rights = right if isinstance(right, tuple) else (right,)
    right = rights[0]
    if answer is _WHICH_SOLUTIONS:
        raise _Solutions(rights, _wrong_solutions(wrong))
    names = list(inspect.signature(right).parameters)
    outcomes = []
    for example in examples:
        arguments = copy.deepcopy(example)
        outcomes.append(_outcome(answer, arguments))
        if name := _changed(arguments, example, names):
            raise Hint(f"You changed `{name}` in place. Leave it as it is: work on a copy.")
    for solution in reversed(rights):  # the first one last: hints speak of that
        expected = [_outcome(solution, copy.deepcopy(example)) for example in examples]
        failures = []
        for n, outcome in enumerate(outcomes):
            if not near(outcome, expected[n], tolerance):
                failures.append(n)
        if not failures:
            return
    # of two truth values, one that is wrong always agrees with one that is wrong too
    exactly = isinstance(expected[failures[0]], bool)
    hint = _fitting_hint(wrong, examples, outcomes, failures, tolerance, exactly)
    if hint:
        raise Hint(hint)
    n = failures[0]
    if isinstance(outcomes[n], Exception):
        raise outcomes[n]
    start = "Right for one example, not for another. " if len(failures) < len(examples) else ""
    if not _same_form(outcomes[n], expected[n]):
        form = _describe(expected[n])
        if returns:
            form = f"{returns}, here {form}"
        raise Hint(f"{start}Return {form}; you returned {_describe(outcomes[n])}.")
    raise Hint(
        f"{start}For {_show_arguments(right, examples[n])} "
        f"{_contrast(outcomes[n], expected[n], tolerance)}."
    )


# Judging an answer


@dataclass(frozen=True)
class Verdict:
    "What a check found."

    status: str  # 'not yet', 'not right' or 'solved'
    message: str  # the hint, empty when solved


class _OutOfTime(BaseException):
    "Raised inside an answer that runs too long."


def _guarded(function, seconds):
    "Run a function in a thread; None, its exception, or `_OutOfTime` when the seconds are over."
    outcome = {}

    def run():
        try:
            function()
            outcome["error"] = None
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
    return outcome.get("error", _OutOfTime())


def _returning(answer):
    "A learner's function that says so when it returns nothing; anything else as it is."
    if not inspect.isfunction(answer):
        return answer

    @functools.wraps(answer)
    def function(*args, **kwargs):
        result = answer(*args, **kwargs)
        if result is None or result is NotImplemented or result is ...:
            raise NotYet(
                f"Your function `{answer.__name__}` returned {result}; it should return its result."
            )
        return result

    return function


def _in_their_words(error):
    "An exception out of a learner's code, with the line it happened in."
    package = str(Path(helpers.__file__).parent)
    their_frames = []
    for frame in traceback.extract_tb(error.__traceback__):
        ours = frame.filename.startswith(package)
        if not ours and "site-packages" not in frame.filename and "threading" not in frame.filename:
            their_frames.append(frame)
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if not their_frames:
        return (
            f"The check could not use your answer ({text}). Look at what it returns: "
            "is it a number or tensor of the shape asked for?"
        )
    return f"Your code raised {text}, in line {their_frames[-1].lineno}: `{their_frames[-1].line}`"


def judge(
    name: str,  # the exercise
    *answers,  # what the learner wrote: a function, a class, a value
    seconds: float = 10,  # how long the answer may run
) -> Verdict:
    "Check an answer without recording it. `KeyError` for an exercise that does not exist."
    lesson = exercises(name.split("-")[0])
    if name not in lesson:
        raise KeyError(f"There is no exercise {name!r}. Known in this lesson: {', '.join(lesson)}.")
    if any(answer is None or answer is ... for answer in answers):
        return Verdict("not yet", "Replace the `...` by your answer and run the cell again.")
    answers = [_returning(answer) for answer in answers]
    error = _guarded(lambda: lesson[name].check(*answers), seconds)
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
                f"Your code was still running after {seconds:g} seconds. "
                "Is there a loop that never ends?",
            )
        case _:
            return Verdict("not right", _in_their_words(error))


# What a lesson calls


def check(
    name: str,  # the exercise, for instance '01-update'
    *answers,  # your function, class or value
    seconds: float = 10,  # how long your code may run
):
    "Check an answer, print what was found, and remember it when it is right."
    verdict = judge(name, *answers, seconds=seconds)
    if verdict.status != "solved":
        print(f"{name}: {verdict.status}. {verdict.message}")
        return
    remembered = remember(name)
    done, problem = read_progress()
    lesson = exercises(name[:2])
    count = sum(other in done for other in lesson) if remembered else "?"
    print(f"{name}: solved. {count} of {len(lesson)} exercises of this lesson are done.")
    if not remembered:
        print(f"Not remembered: {problem or f'{progress_file()} cannot be written.'}")


def progress() -> Table:
    "A table of all exercises: which are solved, and when."
    done, problem = read_progress()
    if problem:
        print(problem)
    rows = []
    for name, registered in exercises().items():
        state = f"solved on {done[name]}" if name in done else "open"
        rows.append([name, registered.title, state])
    return Table(["exercise", "what you write", "state"], rows)


def begin(
    lesson: str,  # its number, for instance '01'
):
    "First call of a lesson: say on what it runs, and how far you have come."
    switches = settings()
    names = exercises(lesson)
    done, problem = read_progress()
    print(
        f"Lesson {lesson} on {best_device()}, {switches.size} size, seed {switches.seed}. "
        f"{sum(name in done for name in names)} of {len(names)} exercises solved so far."
    )
    if problem:
        print(problem)


_VERDICTS = {True: "holds", False: "does not hold", None: "in part"}


def then_and_now(
    rows: list,  # tuples: the claim, does it hold (True, False, None for "in part", 'not shown'),
    # what was found, and the section that checked it
) -> Table:
    "The lesson's table of claims, each with the verdict of an executed cell."
    cells = []
    for claim, holds, result, section in rows:
        if holds is not None and not isinstance(holds, str):
            holds = bool(holds)  # of NumPy's or PyTorch's
        verdict = "not shown" if holds == "not shown" else _VERDICTS[holds]
        cells.append([claim, verdict, result, section])
    return Table(["said", "verdict", "found here", "checked in"], cells)
