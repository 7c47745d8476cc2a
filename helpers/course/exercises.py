"Every exercise checks itself, with a hint for the mistake made; every question has an answer."

import copy
import difflib
import functools
import importlib
import inspect
import json
import math
import pkgutil
import re
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

import helpers
from helpers.course.cards import bar, card, escaped, formatted, link, show
from helpers.course.figures import Table, largest_difference
from helpers.course.front import lesson_file, progress_file, read_progress, remember
from helpers.course.running import OutOfTime, guarded, kernel_as_it_was, warm_up
from helpers.course.settings import best_device, settings


class Hint(Exception):
    "What is wrong with an answer, and what to look at next."


class NotYet(Hint):
    "There is no answer so far."


# The exercises there are


@dataclass(frozen=True)
class Exercise:
    "One exercise, as a module of `helpers.course.checks` registers it."

    name: str  # lesson and key word, for instance '01-update'
    title: str  # for the progress table
    check: Callable  # raises a `Hint` unless the answer it is called with is right
    own_parameters: str  # what the answer is called with, where `compare` does not say it
    forward: str  # what `forward` is called with, where a class is asked for

    def solutions(self) -> tuple:  # (right solutions, list of (hint, wrong solution)), or ()
        "What the check hands to `compare`; nothing for a check that does not use it."
        try:
            self.check(_WHICH_SOLUTIONS)
        except _Solutions as solutions:
            return solutions.args
        except Exception:  # a check of another kind cannot use this answer
            return ()
        return ()

    def parameters(self) -> list:  # of names; empty where a value is asked for
        "What the function or class that is asked for is called with."
        if self.own_parameters:
            return self.own_parameters.split(", ")
        solutions = self.solutions()
        return list(inspect.signature(solutions[0][0]).parameters) if solutions else []

    def call(self) -> str:  # for instance 'check("01-update", update)', as code
        "How the check is called."
        [answer] = inspect.signature(self.check).parameters
        return f'`check("{self.name}", {answer})`'


_EXERCISES = {}  # name to Exercise


def exercise(
    name: str,  # lesson and key word, for instance '01-update'
    title: str,  # for the progress table
    parameters: str = "",  # of the answer, where no `compare` knows them: 'gradients, rows'
    forward: str = "",  # if the answer is a class of modules: those of its `forward`
):
    """Register the decorated function as the check of an exercise.

    It is called with the learner's answer and raises a `Hint` unless that is right. What it
    returns, if anything, is said to the learner who solved it: a score. Its one parameter has the
    name that the answer has in the lesson."""

    def register(function):
        _EXERCISES[name] = Exercise(name, title, function, parameters, forward)
        return function

    return register


def exercises(
    lesson: str = "",  # its number, for instance '01'; all lessons by default
) -> dict:  # name to Exercise, lesson after lesson, and in the order of the lesson
    "The exercises of a lesson, or of all."
    import helpers.course.checks as checks

    for module in pkgutil.iter_modules(checks.__path__):
        if module.name.startswith(f"lesson{lesson}"):
            importlib.import_module(f"helpers.course.checks.{module.name}")
    names = [name for name in _EXERCISES if name.startswith(lesson)]
    return {name: _EXERCISES[name] for name in sorted(names, key=lambda name: name[:2])}


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


def read_entry(
    entry,  # what an open challenge is given: the data, and the reader's own piece
    name: str,  # of the reader's piece, for instance my_epoch
    kind: str = "function",  # or class
    data: str = "mnist",  # name of the data, or of the function that finds them
) -> tuple:  # the data, or the function that finds them; and the reader's piece
    "The two parts of an entry; a `Hint` where it is no pair, or the second is not callable."
    try:
        found, own = entry
    except (TypeError, ValueError):
        raise Hint(f"An entry is a pair: ({data}, {name}).") from None
    if not callable(own):
        raise Hint(f"The second of the pair is your {kind}, without brackets: ({data}, {name}).")
    return found, own


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
    as_found: str = "",  # the hint for the code that stands in the cell: 'not yet', not 'not right'
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
        raise NotYet(hint) if hint == as_found else Hint(hint)
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


# How an answer is handed over


def _misuse(name, answers):
    "What is wrong with a call of `check`; '' if nothing is."
    if not isinstance(name, str):
        called = getattr(name, "__name__", None)
        names = [other for other, its in exercises().items() if f", {called})" in its.call()]
        example = exercises()[(names or list(exercises("01")))[0]]
        return f"The name of the exercise comes first, in quotes: {example.call()}."
    if name not in exercises(name[:2]):
        similar = difflib.get_close_matches(name, exercises(), 1)
        if similar:
            return f"There is no exercise `{name}`. Did you mean `{similar[0]}`?"
        known = exercises(_open_lesson) or exercises()
        names = ", ".join(f"`{other}`" for other in list(known)[:4])
        return f"There is no exercise `{name}`. There are {names}, for instance."
    asked = exercises(name[:2])[name]
    if not answers:
        return f"Hand over your answer, too: {asked.call()}."
    if len(answers) > 1:
        return f"One answer is asked for; you handed over {len(answers)}. Write {asked.call()}."
    if asked.forward and not inspect.isclass(answers[0]):
        return f"Hand over the class itself, without calling it: {asked.call()}."
    if asked.parameters() and not callable(answers[0]):
        return f"Hand over the function itself, without calling it: {asked.call()}."
    return ""


def _unanswered(answer):
    "The sentence for an answer that nobody has written, or not all of it; '' for a whole one."
    write = "Write your answer in the cell above, in place of `...`, and run the cell again."
    if answer is None or answer is ...:
        return write
    if not isinstance(answer, (dict, list, tuple)) or not answer:
        return ""
    if isinstance(answer, dict):
        empty = [f"`{name}`" for name, value in answer.items() if value is ... or value is None]
    else:  # a list of results may hold None
        empty = [f"`{n}`" for n, value in enumerate(answer, start=1) if value is ...]
    if len(empty) == len(answer):
        return f"None of the {len(empty)} has an answer yet. {write}"
    if empty:
        is_are = "is" if len(empty) == 1 else "are"
        return f"{len(empty)} of {len(answer)} {is_are} still to be answered: {', '.join(empty)}."
    return ""


def _names(signature):
    "The names of parameters as a function's head has them; *args with its star."
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    return [stars.get(p.kind, "") + p.name for p in signature.parameters.values()]


def _count(names):
    "'2: `a`, `b`', or 'none'."
    return f"{len(names)}: {', '.join(f'`{name}`' for name in names)}" if names else "none"


def _match(what, function, parameters, given, skipped=0):
    """A `Hint` unless a function can be called with the first of these parameters.

    `given` is how many of them; `skipped`, how many of the function's own come before."""
    signature = inspect.signature(function)
    names = _names(signature)[skipped:]
    wanted = parameters[:given]
    known = [name for name in names if name in parameters]
    if known != sorted(known, key=parameters.index):
        raise Hint(
            f"{what} is called with {', '.join(parameters)}, in this order. "
            f"Yours takes them in another: {', '.join(names)}."
        )
    try:
        signature.bind(*[None] * skipped, *wanted)
    except TypeError:
        raise Hint(f"{what} should take {_count(wanted)}. Yours takes {_count(names)}.") from None


def _match_class(answer, parameters, forward):
    "A `Hint` unless a class of modules can be called as the check will call it."
    for method, wanted in (("__init__", parameters), ("forward", forward)):
        function = vars(answer).get(method)
        if not inspect.isfunction(function):
            continue
        names = _names(inspect.signature(function))
        if names[:1] != ["self"]:
            raise Hint(f"The first parameter of `{method}` should be `self`.")
        _match(f"`{method}`, after `self`,", function, wanted, len(wanted), skipped=1)
    if issubclass(answer, nn.Module) and answer.__init__ is nn.Module.__init__:
        raise Hint(f"`{answer.__name__}` has no `__init__`: it should take {_count(parameters)}.")


def _guided(answer, parameters):
    "A learner's function that says so when it is called wrongly, or returns nothing."
    if not inspect.isfunction(answer):
        return answer

    @functools.wraps(answer)
    def function(*args, **kwargs):
        _match(f"`{answer.__name__}`", answer, parameters, len(args))
        result = answer(*args, **kwargs)
        if result is None:
            raise NotYet(
                f"Your function `{answer.__name__}` returned None. "
                "Let it end with `return` and its result."
            )
        unanswered = _unanswered(... if result is NotImplemented else result)
        if unanswered:
            raise NotYet(unanswered)
        return result

    return function


# Judging an answer


@dataclass(frozen=True)
class Verdict:
    "What a check found."

    status: str  # 'not checked', 'not yet', 'not right' or 'solved'
    message: str  # the hint; when solved, a score or nothing


_IMPORTS = {
    "np": "import numpy as np",
    "torch": "import torch",
    "nn": "from torch import nn",
    "F": "import torch.nn.functional as F",
    "plt": "import matplotlib.pyplot as plt",
    "pd": "import pandas as pd",
    "math": "import math",
    "random": "import random",
}


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


def _verdict(error, score, seconds):
    "What an answer's end says: None, or an exception."
    match error:
        case None:
            return Verdict("solved", score)
        case NotYet():
            return Verdict("not yet", str(error))
        case Hint():
            return Verdict("not right", str(error))
        case NotImplementedError():
            return Verdict(
                "not yet",
                "Write your answer in the cell above, in place of `raise NotImplementedError`.",
            )
        case NameError(name=name) if name in _IMPORTS:
            return Verdict(
                "not yet",
                f"`{name}` has not been imported since this kernel started. "
                f"Run `{_IMPORTS[name]}` in a cell, then this cell again.",
            )
        case SystemExit():
            return Verdict("not right", "Your code ends the program. Let it return its result.")
        case OutOfTime():
            return Verdict(
                "not right",
                f"Your code was still running after {seconds:g} seconds. "
                "Is there a loop that never ends?",
            )
        case _:
            return Verdict("not right", _in_their_words(error))


def judge(
    name: str,  # the exercise
    *answers,  # what the learner wrote: a function, a class or a value
    seconds: float = 10,  # how long the answer may run
) -> Verdict:
    "Check an answer without recording it; whatever it changes in the kernel is put back."
    misuse = _misuse(name, answers)
    if misuse:
        return Verdict("not checked", misuse)
    [answer] = answers
    asked = exercises(name[:2])[name]
    unanswered = _unanswered(answer)
    if unanswered:
        return Verdict("not yet", unanswered)
    parameters = asked.parameters()
    score = ""

    def run():
        nonlocal score
        if asked.forward:
            _match_class(answer, parameters, asked.forward.split(", "))
        score = asked.check(_guided(answer, parameters)) or ""

    warm_up(answer)
    with kernel_as_it_was():
        torch.set_default_dtype(torch.float32)
        error = guarded(run, seconds)
    return _verdict(error, score, seconds)


# What a lesson calls

_open_lesson = ""  # its number; the lesson that was begun last in this kernel
_RUNNING = card(
    "open", "Running your answer", text="If this does not end, choose Kernel > Restart Kernel."
)


def _target(name):
    "The address of an exercise's cell; None where its lesson did not come along."
    path = lesson_file(name[:2])
    if path is None:
        return None
    call = re.compile(rf"""^check\(\s*["']{re.escape(name)}["']""", re.MULTILINE)
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code" and call.search("".join(cell["source"])):
            return f"{path.name}#cell-id={cell['id']}"
    return path.name


def _next(name, done):
    "What to do after an exercise: a sentence, and the address it leads to, or None."
    lesson = list(exercises(name[:2]))
    position = lesson.index(name) + 1
    for other in lesson[position:] + lesson[:position]:
        if other not in done:
            return f"Next: {other}, {_EXERCISES[other].title}", _target(other)
    left = [other[:2] for other in exercises() if other not in done]
    if not left:
        return "Every exercise of the course is solved.", None
    number = next((other for other in left if other > name[:2]), left[0])
    path = lesson_file(number)
    return f"Next: lesson {number}", path.name if path else None


def _of_lesson(count):
    "'exercises of this lesson', or the singular."
    return f"{'exercise' if count == 1 else 'exercises'} of this lesson"


def _solved(name, score):
    "Remember an exercise as solved; the card that says so, and its text."
    remembered = remember(name)
    done, problem = read_progress()
    lesson = exercises(name[:2])
    if not remembered:
        problem = f"Not remembered: {problem or f'{progress_file()} cannot be written.'}"
        text = f"{name}: solved. ? of {len(lesson)} {_of_lesson(len(lesson))} are done."
        said = f"{score}\n{problem}".strip()
        return card("solved", "Solved", name, said), f"{text}\n{said}"
    count = sum(other in done for other in lesson)
    sentence, target = _next(name, done)
    more = bar(count, len(lesson), _of_lesson(len(lesson)))
    more += f"<p>{link(sentence, target) if target else escaped(sentence)}</p>"
    are = "is" if len(lesson) == 1 else "are"
    text = f"{name}: solved. {count} of {len(lesson)} {_of_lesson(len(lesson))} {are} done."
    said = "\n".join(filter(None, [text, score, sentence]))
    return card("solved", "Solved", name, score, more), said


def check(
    name: str,  # the exercise, for instance '01-update'
    *answers,  # your function, class or value
    seconds: float = 10,  # how long your code may run
):
    "Check an answer, show what was found, and remember it when it is right."
    place = show(_RUNNING, "")
    sys.stdout.flush()  # in a notebook, what is shown is sent with it, before the answer runs
    about = name if isinstance(name, str) else ""
    try:
        verdict = judge(name, *answers, seconds=seconds)
    except KeyboardInterrupt:
        stopped = "You stopped your answer before it was checked."
        show(card("open", "Stopped", about, stopped), f"{about}: stopped.", place)
        raise
    if verdict.status == "solved":
        page, text = _solved(name, verdict.message)
    else:
        kind = "wrong" if verdict.status == "not right" else "open"
        page = card(kind, verdict.status.capitalize(), about, verdict.message)
        text = f"{about}: {verdict.status}. {verdict.message}"
    show(page, text, place)


class Progress:
    "The exercises of a lesson with their states, and a line for the course."

    def __init__(
        self,
        lesson: str,  # its number; '' for the whole course
    ):
        done, self.problem = read_progress()
        self.title = f"Your progress in lesson {lesson}" if lesson else "Your progress"
        self.rows = []  # tuples: exercise, what you write, state
        for name, registered in exercises(lesson).items():
            state = f"✓ solved on {done[name]}" if name in done else "○ open"
            self.rows.append((name, registered.title, state))
        self.course = (sum(name in done for name in exercises()), len(exercises()))

    def _repr_html_(self):
        rows = "<tr><th>exercise</th><th>what you write</th><th>state</th></tr>"
        for row in self.rows:
            rows += "<tr>" + "".join(f"<td>{escaped(text)}</td>" for text in row) + "</tr>"
        course = bar(*self.course, "exercises of the course")
        return card("note", self.title, text=self.problem, more=f"<table>{rows}</table>{course}")

    def __repr__(self):
        table = pd.DataFrame(self.rows, columns=["exercise", "what you write", "state"])
        solved, count = self.course
        lines = [self.title, table.to_string(index=False)]
        lines += [f"{solved} of {count} exercises of the course are solved.", self.problem]
        return "\n".join(lines).strip()


def progress(
    lesson: str = None,  # its number, for instance '03'; the one begun last by default
) -> Progress:
    "Which exercises are solved, and when; those of the course if no lesson was begun."
    return Progress(_open_lesson if lesson is None else lesson)


_DEVICES = {
    "cpu": "the processor of this computer (`cpu`)",
    "cuda": "the graphics card (`cuda`)",
    "mps": "the graphics chip of this Mac (`mps`)",
}
_SIZES = {
    "quick": "Size `quick`: short runs, so that no cell takes long.",
    "full": "Size `full`: more epochs and more seeds. Some cells take long.",
}


def begin(
    lesson: str,  # its number, for instance '01'
):
    "First call of a lesson: say on what it runs, and how far you have come."
    global _open_lesson
    _open_lesson = lesson
    pd.options.display.html.use_mathjax = False  # $ in a title is a dollar, and begins no formula
    switches = settings()
    device = best_device()
    names = exercises(lesson)
    done, problem = read_progress()
    solved = sum(name in done for name in names)
    words = (
        f"This lesson runs on {_DEVICES.get(device.type, f'`{device}`')}. {_SIZES[switches.size]}\n"
        f"Seed {switches.seed}: the random numbers start there, so each run draws the same ones.\n"
        "Nothing has to be changed. Device, size and seed stand in `settings.ini`."
    )
    text = (
        f"Lesson {lesson} on {device}, {switches.size} size, seed {switches.seed}. "
        f"{solved} of {len(names)} exercises solved so far."
    )
    more = formatted(problem) if problem else ""
    more += bar(solved, len(names), f"{_of_lesson(len(names))} solved")
    show(card("note", f"Lesson {lesson}", text=words, more=more), f"{text}\n{problem}".strip())


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
