"Every check accepts its folded solution, and answers each plausible mistake with the hint that fits it."

import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
import torch
from shared import LESSONS, ROOT, hold
from wrong_answers import WRONG

import helpers.course.exercises as exercises
from helpers.course.exercises import Hint, begin, check, exercise, judge, progress, then_and_now


def folded_solutions():
    "Exercise name, lesson and the code in the fold that follows its check."
    found = {}
    for path in LESSONS:
        cells, name = nbformat.read(path, as_version=4).cells, None
        for cell in cells:
            if cell.cell_type == "code" and (
                here := re.search(r'^check\(\s*"([^"]+)",\s*(\w+)', cell.source, re.M)
            ):
                name, answer = here.groups()
            elif cell.cell_type == "markdown" and "<summary>Solution</summary>" in cell.source:
                found[name] = (answer, re.search(r"```python\n(.*?)```", cell.source, re.S)[1])
    return found


SOLUTIONS = folded_solutions()
IMPORTS = "import numpy as np, torch\nimport torch.nn.functional as F\nfrom torch import nn\n"


def solution(name):
    answer, code = SOLUTIONS[name]
    space = {}
    exec(IMPORTS + code, space)
    return space[answer]


def test_every_exercise_is_tested():
    exercises._load()
    assert set(exercises._EXERCISES) == set(SOLUTIONS) == set(WRONG)


PATIENCE = 120  # seconds: on a busy machine PyTorch's first step takes long to be imported


@pytest.mark.parametrize("name", SOLUTIONS)
def test_solution_is_accepted(name):
    verdict = judge(name, solution(name), seconds=PATIENCE)
    assert verdict.status == "solved", verdict


def test_there_are_enough_wrong_answers():
    assert [name for name, answers in WRONG.items() if len(answers) < 3] == []


@pytest.mark.parametrize(
    ("name", "wrong", "words"),
    [(name, wrong, words) for name, answers in WRONG.items() for wrong, words in answers],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_mistake_gets_the_fitting_hint(name, wrong, words):
    seconds = 2 if "still running" in words else PATIENCE
    verdict = judge(name, wrong, seconds=seconds)
    assert verdict.status != "solved"
    assert words in verdict.message, verdict


def test_nothing_written_yet():
    assert judge("01-update", lambda a, b, x, y, lr: ...).status == "not yet"
    assert (
        judge("01-largest-rate", ...).status == judge("01-largest-rate", None).status == "not yet"
    )


def endless(*args):
    while True:
        try:
            len(args)
        except Exception:
            pass


def endless_and_deaf(*args):
    while True:
        try:
            pass
        except Exception:
            pass


deaf = pytest.param(
    endless_and_deaf,
    marks=pytest.mark.skipif(
        sys.version_info < (3, 11), reason="Python 3.10 lets no other thread run beside such a loop"
    ),
)


@pytest.mark.parametrize("answer", [endless, deaf])
def test_endless_answer_is_stopped(answer):
    verdict = judge("01-update", answer, seconds=0.5)
    assert verdict.status == "not right" and "never ends" in verdict.message


def test_own_line_is_shown():
    def fails(a, b, x, y, lr):
        return a / (b - b)

    message = judge("01-update", fails).message
    assert (
        "ZeroDivisionError" in message
        and "return a/(b - b)" in message
        and "helpers" not in message
    )


def test_unusable_answers_are_explained():
    for useless in ("text", 7, [1, 2], lambda: 1, lambda *args: "text", print):
        assert judge("01-update", useless).status == "not right"


def test_a_fault_in_a_check_is_no_traceback(capsys, learner):
    @exercise("01-broken", "a check with a fault of its own")
    def broken(answer):
        raise KeyError("ours")

    try:
        check("01-broken", 1)
    finally:
        exercises._EXERCISES.pop("01-broken")
    assert "01-broken: not right." in capsys.readouterr().out


def test_unknown_exercise():
    with pytest.raises(KeyError, match="01-update"):
        judge("01-updaet", 1)


def test_progress_is_kept(learner, capsys):
    check("01-largest-rate", 2 / 5032.58)
    assert "solved. 1 of 4" in capsys.readouterr().out
    kept = json.loads((learner / "data" / "progress.json").read_text())
    assert list(kept) == ["01-largest-rate"]
    assert "solved on" in repr(progress()) and repr(progress()).count("solved on") == 1
    check("01-largest-rate", 1.0)
    assert "solved on" in repr(progress()), "a later wrong answer does not undo it"


def test_damaged_progress_is_begun_anew(learner):
    (learner / "data").mkdir()
    (learner / "data" / "progress.json").write_text('{"01-upd')
    check("01-largest-rate", 2 / 5032.58)
    assert "solved on" in repr(progress())


def test_unwritable_progress_is_said(learner, capsys):
    (learner / "data").write_text("a file where the folder should be")
    check("01-largest-rate", 2 / 5032.58)
    assert "solved" in (said := capsys.readouterr().out) and "Not remembered" in said


def test_unreadable_progress_is_said(learner, capsys, monkeypatch):
    check("01-largest-rate", 2 / 5032.58)
    hold(monkeypatch)
    capsys.readouterr()
    check("01-largest-rate", 2 / 5032.58)
    assert (
        "Not remembered: " in (said := capsys.readouterr().out)
        and "progress.json cannot be read now" in said
    )
    progress()
    assert "progress.json cannot be read now" in capsys.readouterr().out


def test_damaged_progress_is_said_when_a_lesson_begins(learner, capsys):
    (learner / "data").mkdir()
    (learner / "data" / "progress.json").write_text('{"01-update": "2026-01-31",}')
    begin("01")
    assert "progress.json is damaged" in capsys.readouterr().out


def test_misspelt_settings_do_not_hide_the_verdict(learner, capsys):
    (learner / "settings.ini").write_text("[learner]\nsede = 1\n")
    check("01-largest-rate", 2 / 5032.58)
    assert (
        "01-largest-rate: solved." in (said := capsys.readouterr().out)
        and "unknown key: sede" in said
    )


def test_hint_is_printed(learner, capsys):
    check("01-largest-rate", 1e-4)
    assert capsys.readouterr().out.startswith("01-largest-rate: not right. ")
    assert issubclass(exercises.NotYet, Hint)


@pytest.mark.parametrize(
    ("file", "gain", "verdict"),
    [
        ("weights/test_resnet.safetensors", -0.04, "does not hold"),
        ("weights/test_resnet.safetensors", 0.2, "holds"),
        ("weights/test_resnet.safetensors", 0.01, "in part"),
        ("cache/stand-in-weights/test_resnet.safetensors", -0.04, "not shown"),
    ],
)
def test_stand_in_weights_judge_no_pretrained_net(file, gain, verdict):
    "Lesson 13 with photographs at hand and no network: the weights are a stand-in, and the table says so."
    notebook = nbformat.read(next((ROOT / "nbs").glob("10_*.ipynb")), as_version=4)
    [source] = [
        cell.source for cell in notebook.cells if re.search(r"^then_and_now\(", cell.source, re.M)
    ]
    layers = SimpleNamespace(modules=lambda: [])
    values = dict(
        costs=dict.fromkeys("abc", (1.0, 1.0)),
        learning="abc",
        rows=1000,
        last=SimpleNamespace(weight=torch.zeros(1000, 2)),
        nn=torch.nn,
        fastais=layers,
        theirs=layers,
        net=layers,
        crashed="",
        still_learning=0,
        default_split=lambda net: [1],
        layer_groups=lambda net: [1],
        their_rates={"slice(1e-3)": [1e-4], "slice(1e-5, 1e-3)": [1e-5, 1e-4, 1e-3]},
        largest_difference=lambda a, b: 0.0,
        gains={"from nothing": (gain, 0.03)},
        rice=SimpleNamespace(name="Paddy Doctor"),
        batches=SimpleNamespace(y=range(90)),
        epochs=3,
        body="test_resnet",
        weights=lambda name: Path(file),
        then_and_now=lambda rows: values.update(table=then_and_now(rows)),
    )
    exec(source, values)
    [row] = [row for row in values["table"].rows if "pretrained" in row[0]]
    assert row[1] == verdict and f"Paddy Doctor: {gain:+.3f} ± 0.030" in row[2]
    assert ("stand-in weights" in row[2]) == (verdict == "not shown")
