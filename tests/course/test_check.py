"What `check` says of a call, what it shows in a notebook, and what it leaves as it was."

import inspect
import os
import random
import re
import sys
import threading
import time

import nbformat
import numpy as np
import pandas as pd
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from shared import LESSONS
from torch import nn

import helpers.course.exercises as module
import helpers.course.running as running
from helpers.course.exercises import begin, check, exercise, exercises, judge, progress

IMPORTS = "import numpy as np, torch\nimport torch.nn.functional as F\nfrom torch import nn\n"
RATE = 2 / 51.735


def starters():
    "Name of each exercise to the name of its answer, and to the answer as the lesson has it."
    found = {}
    for path in LESSONS:
        for cell in nbformat.read(path, as_version=4).cells:
            call = re.search(
                r'^check\("([\w-]+)", (\w+)(, seconds=\d+)?\)', cell.source, re.MULTILINE
            )
            if cell.cell_type == "code" and call:
                space = {}
                exec(IMPORTS + cell.source.replace(call[0], ""), space)
                found[call[1]] = (call[2], space[call[2]])
    return found


STARTERS = starters()
each_exercise = pytest.mark.parametrize("name", STARTERS)


def update(a, b, x, y, lr):
    residual = a * x + b - y
    return a - lr * 2 * residual * x, b - lr * 2 * residual


@pytest.fixture
def notebook(learner):
    "A shell as in a notebook, where cards are shown."
    shell = InteractiveShell.instance()
    shell.kernel = None
    yield shell
    InteractiveShell.clear_instance()


def shown(function, *arguments):
    "What a call displays: the bundles, with what an update replaces left out."
    with capture_output() as captured:
        function(*arguments)
    assert captured.stdout == ""
    return [output.data for output in captured.outputs]


# Cells as they are found


@each_exercise
def test_an_untouched_cell_is_met_with_kind_words(name):
    _, answer = STARTERS[name]
    verdict = judge(name, answer)
    assert verdict.status == "not yet"
    assert "in the cell above" in verdict.message
    assert "Ellipsis" not in verdict.message


@each_exercise
def test_a_check_knows_what_the_lesson_calls_it_with(name):
    "Names of the answer and of its parameters are those that the learner sees."
    answer_name, answer = STARTERS[name]
    asked = exercises(name[:2])[name]
    assert asked.call() == f'`check("{name}", {answer_name})`'
    if inspect.isclass(answer):
        assert list(inspect.signature(answer.forward).parameters)[1:] == asked.forward.split(", ")
    else:
        assert asked.forward == ""
    parameters = inspect.signature(answer).parameters if callable(answer) else []
    assert list(parameters) == asked.parameters()


def test_exercises_stand_in_the_order_of_the_lessons():
    assert list(exercises()) == list(STARTERS)


def test_part_of_an_answer():
    letters = {
        "as it should be": "D",
        "no bias correction": ...,
        "eps inside the root": "A",
        "averages kept on the parameter": None,
    }
    verdict = judge("05-suspects", letters)
    assert verdict.status == "not yet"
    missing = "`no bias correction`, `averages kept on the parameter`"
    assert verdict.message == f"2 of 4 are still to be answered: {missing}."
    nothing = dict.fromkeys(letters, ...)
    assert judge("05-suspects", nothing).message.startswith("None of the 4 has an answer yet.")
    verdict = judge("01-update", lambda a, b, x, y, lr: (a, ...))
    assert (verdict.status, "1 of 2 is still" in verdict.message) == ("not yet", True)


# How an answer is handed over


class Net(nn.Module):
    def __init__(self, inputs):
        super().__init__()

    def forward(self, xb):
        return xb


class NoSelf(nn.Module):
    def __init__(inputs, outputs):
        super().__init__()


class NoStart(nn.Module):
    def forward(self, xb):
        return xb


class Forward(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()

    def forward(self):
        return 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("01-updaet", update), "There is no exercise `01-updaet`. Did you mean `01-update`?"),
        (("02-update", update), "There is no exercise `02-update`. Did you mean `01-update`?"),
        (("?", update), "There is no exercise `?`. There are `01-update`, "),
        (("01-update",), 'Hand over your answer, too: `check("01-update", update)`.'),
        (
            ("01-update", (1, 2)),
            'Hand over the function itself, without calling it: `check("01-update", update)`.',
        ),
        (
            ("01-update", ...),
            'Hand over the function itself, without calling it: `check("01-update", update)`.',
        ),
        (
            ("03-my-linear", nn.Linear(2, 3)),
            'Hand over the class itself, without calling it: `check("03-my-linear", MyLinear)`.',
        ),
        (("01-update", update, 1), "One answer is asked for; you handed over 2."),
        (
            (update,),
            'The name of the exercise comes first, in quotes: `check("01-update", update)`.',
        ),
        (
            (STARTERS["11-recommend"][1], "11-recommend"),
            "The name of the exercise comes first, in quotes: "
            '`check("11-recommend", five_unseen)`.',
        ),
        ((7,), 'The name of the exercise comes first, in quotes: `check("01-update", update)`.'),
    ],
)
def test_a_wrong_call_gets_one_sentence(learner, capsys, monkeypatch, arguments, message):
    monkeypatch.setattr(module, "_open_lesson", "")
    verdict = judge(*arguments)
    assert verdict.status == "not checked"
    assert verdict.message.startswith(message)
    check(*arguments)
    name = arguments[0] if isinstance(arguments[0], str) else ""
    assert capsys.readouterr().out == f"{name}: not checked. {verdict.message}\n"


@pytest.mark.parametrize(
    ("name", "answer", "message"),
    [
        (
            "01-update",
            lambda a, b: (a, b),
            "`<lambda>` should take 5: `a`, `b`, `x`, `y`, `lr`. Yours takes 2: `a`, `b`.",
        ),
        (
            "01-update",
            lambda: 1,
            "`<lambda>` should take 5: `a`, `b`, `x`, `y`, `lr`. Yours takes none.",
        ),
        (
            "01-update",
            lambda a, b, lr, x, y: (a, b),
            "`<lambda>` is called with a, b, x, y, lr, in this order. "
            "Yours takes them in another: a, b, lr, x, y.",
        ),
        (
            "01-update",
            lambda a, b, *, x: (a, b),
            "`<lambda>` should take 5: `a`, `b`, `x`, `y`, `lr`. Yours takes 3: `a`, `b`, `x`.",
        ),
        (
            "13-pool",
            lambda x: x,
            "`<lambda>` should take 2: `x`, `layout`. Yours takes 1: `x`.",
        ),
        (
            "13-pool",
            lambda x, prefix, layout: x,
            "`<lambda>` is called with x, layout, prefix, in this order. "
            "Yours takes them in another: x, prefix, layout.",
        ),
        (
            "17-columns",
            lambda loss: [],
            "`<lambda>` should take 2: `loss`, `width`. Yours takes 1: `loss`.",
        ),
        (
            "03-my-linear",
            Net,
            "`__init__`, after `self`, should take 2: `inputs`, `outputs`. "
            "Yours takes 1: `inputs`.",
        ),
        ("03-my-linear", NoSelf, "The first parameter of `__init__` should be `self`."),
        (
            "03-my-linear",
            NoStart,
            "`NoStart` has no `__init__`: it should take 2: `inputs`, `outputs`.",
        ),
        (
            "03-my-linear",
            Forward,
            "`forward`, after `self`, should take 1: `xb`. Yours takes none.",
        ),
    ],
)
def test_wrong_parameters_are_named(name, answer, message):
    verdict = judge(name, answer)
    assert verdict.status == "not right"
    assert verdict.message == message


def test_other_names_for_parameters_are_the_learners_choice():
    assert judge("01-update", lambda w, c, x, y, rate: update(w, c, x, y, rate)).status == "solved"
    assert judge("01-update", lambda *numbers: update(*numbers)).status == "solved"


@pytest.mark.parametrize(("module_name", "line"), module._IMPORTS.items())
def test_a_missing_import_is_named(module_name, line):
    function = eval(f"lambda a, b, x, y, lr: {module_name}.zeros(2)", {})
    verdict = judge("01-update", function)
    assert verdict.status == "not yet"
    assert f"Run `{line}` in a cell" in verdict.message
    exec(line, {})


def test_another_unknown_name_is_shown_with_its_line():
    verdict = judge("01-update", lambda a, b, x, y, lr: (resdual, b))  # noqa: F821
    assert verdict.status == "not right"
    assert "name 'resdual' is not defined" in verdict.message


# What an answer may do


def gradient_in_place(f, parameters, step=1e-4):
    "Nudges each parameter in place, and puts it back: nearly where it was."
    slopes = np.zeros(len(parameters))
    for n in range(len(parameters)):
        parameters[n] += step
        after = f(parameters)
        parameters[n] -= 2 * step
        before = f(parameters)
        parameters[n] += step
        slopes[n] = (after - before) / (2 * step)
    return slopes


def test_a_nudge_that_is_put_back_is_no_change():
    numbers = np.array([1.0, -2.0, 3.0])
    gradient_in_place(lambda p: p.sum(), numbers)
    assert (numbers != [1.0, -2.0, 3.0]).any(), "the last digits differ"
    assert judge("01-gradient-checker", gradient_in_place).status == "solved"


def change_everything(*arguments):
    torch.set_default_dtype(torch.float16)
    torch.set_grad_enabled(False)
    torch.set_anomaly_enabled(True)
    torch.set_num_threads(torch.get_num_threads() + 1)
    torch.manual_seed(5)
    np.random.seed(5)
    random.seed(5)
    sys.setrecursionlimit(sys.getrecursionlimit() + 1)
    os.chdir("/")
    np.set_printoptions(precision=1)
    return update(*arguments)


def state():
    "What `change_everything` changes."
    return [
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        torch.is_anomaly_enabled(),
        torch.get_num_threads(),
        torch.get_rng_state().tolist(),
        np.random.get_state()[1].tolist(),
        random.getstate(),
        sys.getrecursionlimit(),
        os.getcwd(),
        np.get_printoptions()["precision"],
    ]


def fail_afterwards(*arguments):
    change_everything(*arguments)
    raise ValueError


@pytest.mark.parametrize("answer", [change_everything, fail_afterwards])
def test_the_kernel_is_as_it_was(answer):
    before = state()
    judge("01-update", answer)
    assert state() == before


def test_a_check_leaves_random_numbers_alone():
    "The check of 03-my-linear sets a seed."
    before = torch.get_rng_state()
    judge("03-my-linear", nn.Linear)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.fixture
def double_precision():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def test_a_check_runs_in_single_precision(double_precision):
    dtypes = []

    def answer(z, low, high):
        dtypes.append(torch.zeros(1).dtype)
        return low + (high - low) * z.sigmoid()

    assert judge("10-range", answer).status == "solved"
    assert set(dtypes) == {torch.float32}
    assert torch.get_default_dtype() == torch.float64


def leave(*arguments):
    sys.exit()


def test_leaving_is_answered(notebook):
    for answer in (leave, lambda *arguments: notebook.ask_exit()):
        verdict = judge("01-update", answer)
        assert verdict.status == "not right"
        assert "ends the program" in verdict.message
    assert not notebook.exit_now


def test_a_stopped_check_leaves_no_thread(notebook, monkeypatch):
    def endless(*arguments):
        while True:
            time.sleep(0.01)

    def interrupt(thread, seconds=None):
        if seconds != 0.1:
            raise KeyboardInterrupt
        return join(thread, seconds)

    join = threading.Thread.join
    threads = threading.active_count()
    monkeypatch.setattr(threading.Thread, "join", interrupt)
    with capture_output() as captured, pytest.raises(KeyboardInterrupt):
        check("01-update", endless)
    assert threading.active_count() == threads
    assert captured.outputs[-1].data["text/plain"] == "01-update: stopped."


def test_the_clock_does_not_count_what_pytorch_imports(monkeypatch):
    "At the first optimizer PyTorch imports a compiler, which takes seconds."
    imported = []
    monkeypatch.setattr(running.importlib, "import_module", imported.append)
    running.warm_up(lambda model: torch.optim.SGD(model.parameters()))
    assert imported == ["torch._dynamo"]
    running.warm_up(update)
    running.warm_up(nn.Linear)
    assert imported == ["torch._dynamo"]


# Cards


def test_the_verdict_takes_the_place_of_a_sentence(notebook):
    seen = []

    def answer(*arguments):
        seen.append(len(captured.outputs))
        return update(*arguments)

    with capture_output() as captured:
        check("01-update", answer)
    assert set(seen) == {1}, "the sentence is there before the answer runs"
    first, last = captured.outputs
    assert "If this does not end, choose Kernel &gt; Restart Kernel." in first.data["text/html"]
    assert first.transient["display_id"] == last.transient["display_id"] and last.update


def test_cards_say_it_by_colour_word_and_sign(notebook):
    for answer, words in [
        (update, ["solved", "✓", "Solved"]),
        (lambda *numbers: (0, 0), ["wrong", "✗", "Not right"]),
        (STARTERS["01-update"][1], ["open", "○", "Not yet"]),
    ]:
        card = shown(check, "01-update", answer)[-1]
        colour, sign, word = words
        assert f'class="course course-card {colour}"' in card["text/html"]
        assert f'<span aria-hidden="true">{sign} </span>{word} ' in card["text/html"]
        assert card["text/plain"].startswith(f"01-update: {word.lower()}. ")


def test_a_solved_exercise_leads_on(notebook):
    card = shown(check, "01-gradient-checker", gradient_in_place)[-1]
    assert "1 of 6 exercises of this lesson" in card["text/html"]
    text = "Next: 01-largest-rate, the largest safe learning rate"
    link = f'<a href="01_gradient_descent.ipynb#cell-id=cf23cfb9">{text}</a>'
    assert link in card["text/html"]
    assert card["text/plain"].endswith(f"1 of 6 exercises of this lesson are done.\n{text}")
    card = shown(check, "01-largest-rate", RATE)[-1]
    assert "Next: 01-tens, " in card["text/html"]


def test_after_the_last_exercise_the_one_left_out_or_the_next_lesson():
    done = dict.fromkeys(exercises("01"), "2026-01-31")
    assert module._next("01-update", done) == ("Next: lesson 02", "02_layers_backward.ipynb")
    del done["01-update"]
    assert module._next("01-two-rates", done)[0].startswith("Next: 01-update, ")


def test_a_challenge_says_its_score(notebook):
    card = shown(check, "01-two-rates", (0.00018, 0.25))[-1]
    score = "The loss after one epoch is 3.16e-05."
    assert score in card["text/html"] and f"are done.\n{score}" in card["text/plain"]


def test_every_link_leads_to_a_cell_that_is_there():
    for name in exercises():
        file, _, cell = module._target(name).partition("#cell-id=")
        [path] = [path for path in LESSONS if path.name == file]
        [source] = [c.source for c in nbformat.read(path, as_version=4).cells if c.id == cell]
        assert f'check("{name}"' in source


def test_the_last_exercise_leads_nowhere():
    done = dict.fromkeys(exercises(), "2026-01-31")
    assert module._next("17-columns", done) == ("Every exercise of the course is solved.", None)
    del done["03-my-linear"]
    sentence, target = module._next("17-columns", done)
    assert (sentence, target) == ("Next: lesson 03", "03_mnist_sgd.ipynb")


def test_without_the_notebook_there_are_words(notebook, monkeypatch):
    monkeypatch.setattr(module, "lesson_file", lambda lesson: None)
    card = shown(check, "01-largest-rate", RATE)[-1]
    assert "<p>Next: 01-tens, updates along the valley, x in tens</p>" in card["text/html"]
    assert "<a " not in card["text/html"]


EVIL = "<script>alert(1)</script> $x$ and $y$"


def test_nothing_that_a_learner_writes_runs(notebook, monkeypatch):
    def answer(*arguments):
        raise ValueError(EVIL)

    monkeypatch.setitem(module._EXERCISES, "01-evil", None)
    exercise("01-evil", EVIL, "a")(lambda answer: None)
    cards = [*shown(check, EVIL, update), *shown(check, "01-update", answer)]
    cards += shown(check, "01-largest-rate", RATE)
    pages = [card["text/html"] for card in cards] + [progress("01")._repr_html_()]
    assert sum("&lt;script&gt;" in page for page in pages) >= 3
    for page in pages:
        assert "<script" not in page
        assert not re.search(r"\$[^<]*\$", page), "two dollars in one text make a formula"


# Progress


def test_progress_shows_the_lesson_begun(learner, capsys):
    check("01-largest-rate", RATE)
    begin("01")
    assert [row[0] for row in progress().rows] == list(exercises("01"))
    solved = [row[0] for row in progress().rows if row[2].startswith("✓ solved")]
    assert solved == ["01-largest-rate"]
    assert {row[2] for row in progress().rows if row[0] not in solved} == {"○ open"}
    assert [row[0] for row in progress("03").rows] == list(exercises("03"))
    text = repr(progress())
    assert text.startswith("Your progress in lesson 01\n")
    assert text.endswith(f"1 of {len(exercises())} exercises of the course are solved.")
    page = progress()._repr_html_()
    assert f"1 of {len(exercises())} exercises of the course" in page
    assert page.count("<tr>") == 1 + len(exercises("01"))


def test_without_a_lesson_progress_shows_the_course(learner, monkeypatch):
    monkeypatch.setattr(module, "_open_lesson", "")
    assert [row[0] for row in progress().rows] == list(exercises())


def test_begin_says_where_it_runs(notebook, monkeypatch):
    [card] = shown(begin, "11")
    assert "0 of 6 exercises of this lesson solved" in card["text/html"]
    for words in ("the processor of this computer", "<code>quick</code>", "Seed 42"):
        assert words in card["text/html"]
    assert card["text/plain"] == (
        "Lesson 11 on cpu, quick size, seed 42. 0 of 6 exercises solved so far."
    )


def test_a_dollar_in_a_data_frame_begins_no_formula(learner, capsys):
    pd.options.display.html.use_mathjax = True
    begin("01")
    assert "tex2jax_ignore" in pd.DataFrame({"title": ["$1 and $2"]})._repr_html_()


def test_a_terminal_gets_plain_text(learner, capsys):
    check("01-update", update)
    assert capsys.readouterr().out == (
        "01-update: solved. 1 of 6 exercises of this lesson are done.\n"
        "Next: 01-gradient-checker, a gradient by finite differences\n"
    )
