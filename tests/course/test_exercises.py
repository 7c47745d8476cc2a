"Every check accepts its solutions, and answers each plausible mistake with the hint that fits it."

import copy
import inspect
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
import torch
from shared import LESSONS, ROOT, hold
from wrong_answers import WRONG

import helpers.course.exercises as module
from helpers.course.exercises import (
    Hint,
    NotYet,
    begin,
    check,
    compare,
    exercise,
    exercises,
    judge,
    near,
    progress,
    then_and_now,
)

PATIENCE = 120  # seconds: on a busy machine PyTorch's first step takes long to be imported
EXERCISES = exercises()
COMPARED = {name: ex.solutions() for name, ex in EXERCISES.items() if ex.solutions()}

# Solutions and mistakes


def folded_solutions():
    "Name of each exercise to its lesson, the name of the answer, and the code in the fold beneath."
    solutions = {}
    for path in LESSONS:
        name = None
        for cell in nbformat.read(path, as_version=4).cells:
            call = re.search(r"""^check\(\s*["']([^"']+)["'],\s*(\w+)""", cell.source, re.M)
            if cell.cell_type == "code" and call:
                name, answer = call.groups()
            if cell.cell_type == "markdown" and "<summary>Solution</summary>" in cell.source:
                code = re.search(r"```python\n(.*?)```", cell.source, re.S)[1]
                solutions[name] = (path.name[:2], answer, code)
    return solutions


SOLUTIONS = folded_solutions()
IMPORTS = "import numpy as np, torch\nimport torch.nn.functional as F\nfrom torch import nn\n"


def solution(name):
    "The answer that the fold holds."
    _, answer, code = SOLUTIONS[name]
    space = {}
    exec(IMPORTS + code, space)
    return space[answer]


@pytest.fixture(params=[torch.float32, torch.float64], ids=str)
def default_dtype(request):
    "Both default dtypes that a learner may have set."
    torch.set_default_dtype(request.param)
    yield
    torch.set_default_dtype(torch.float32)


def test_every_exercise_is_tested():
    assert set(EXERCISES) == set(SOLUTIONS) == set(WRONG)


def test_exercises_belong_to_their_lesson():
    numbers = {path.name[:2] for path in LESSONS}
    for name, (lesson, _, _) in SOLUTIONS.items():
        assert name[:2] == lesson or name[:2] not in numbers, f"{name} stands in lesson {lesson}"


@pytest.mark.parametrize("name", SOLUTIONS)
def test_solution_is_accepted(name, default_dtype):
    verdict = judge(name, solution(name), seconds=PATIENCE)
    assert verdict.status == "solved", verdict
    rights, _ = COMPARED.get(name, ((), ()))
    for right in rights:
        assert judge(name, right, seconds=PATIENCE).status == "solved"


def test_there_are_enough_wrong_answers():
    assert [name for name, answers in WRONG.items() if len(answers) < 3] == []


@pytest.mark.parametrize("name", COMPARED)
def test_each_wrong_solution_gets_its_own_hint(name, default_dtype):
    "Its own, word for word, and not that of another one."
    _, wrong = COMPARED[name]
    assert len({hint for hint, _ in wrong}) >= 3
    for hint, answer in wrong:
        assert judge(name, answer, seconds=PATIENCE).message == hint


@pytest.mark.parametrize(
    ("name", "wrong", "words"),
    [(name, wrong, words) for name, answers in WRONG.items() for wrong, words in answers],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_mistake_gets_the_fitting_hint(name, wrong, words):
    seconds = 2 if words == "never ends" else PATIENCE
    verdict = judge(name, wrong, seconds=seconds)
    assert verdict.status != "solved"
    assert words in verdict.message, verdict


def spoil(value):
    "Change a value in place; True if that can be done."
    if torch.is_tensor(value):
        value.copy_(value == 0)
    elif isinstance(value, np.ndarray):
        value += 1
    elif isinstance(value, (list, dict, set)):
        value.clear()
    else:
        return False
    return True


@pytest.mark.parametrize("name", COMPARED)
def test_a_changed_argument_is_named(name):
    "The right solution, which changes one of its arguments besides."
    (right, *_), _ = COMPARED[name]
    parameters = list(inspect.signature(right).parameters)
    if name == "14-loop":
        parameters.remove("weights")  # they are there to be trained
    for parameter in parameters:
        spoilt = []

        def answer(*arguments, parameter=parameter, spoilt=spoilt):
            originals = [a.clone() if torch.is_tensor(a) else copy.deepcopy(a) for a in arguments]
            result = right(*originals)
            named = dict(zip(inspect.signature(right).parameters, arguments))
            spoilt.append(parameter in named and spoil(named[parameter]))
            return result

        message = judge(name, answer, seconds=PATIENCE).message
        if any(spoilt):
            assert message.startswith(f"You changed `{parameter}` in place.")
        else:
            assert message == ""


# What `compare` says


def hint(answer, examples, right, wrong=None, **options):
    "The hint that `compare` raises; '' if it accepts the answer."
    try:
        compare(answer, examples, right, wrong or {}, **options)
    except Hint as error:
        return str(error)
    return ""


def twice(x):
    return 2 * x


NUMBERS = [(1.0,), (3.0,), (0.0,)]


def test_a_mistake_common_to_all_examples_counts_first():
    wrong = {"at one": lambda x: 6 if x == 3 else 7, "halved": lambda x: x / 2}
    assert hint(lambda x: x / 2, NUMBERS, twice, wrong) == "halved"


def test_a_mistake_counts_where_the_answer_is_wrong():
    "To agree where the answer is right means nothing: at 0 it agrees with everything."
    wrong = {"squared": lambda x: x * x, "one more": lambda x: 2 * x + 1}
    assert hint(lambda x: 2 * x + (x > 2), NUMBERS, twice, wrong) == "one more"
    assert hint(lambda x: 9.0 if x == 3 else 5.0, NUMBERS, twice, wrong).startswith("For x = 1 it")
    assert hint(lambda x: x + 1, NUMBERS, twice).startswith(
        "Right for one example, not for another. For x = 3 it should be 6; yours is 4."
    )


def test_truth_values_agree_by_accident():
    examples = [(n,) for n in range(6)]
    wrong = {"turned": lambda n: n >= 3}
    assert hint(lambda n: n >= 3, examples, lambda n: n < 3, wrong) == "turned"
    message = hint(lambda n: True, examples, lambda n: n < 3, wrong)
    assert "For n = 3 it should be False; yours is True" in message


def test_an_error_is_a_result():
    wrong = {"from zero": lambda x: 1 / (x - x)}
    assert hint(lambda x: 5 / (x - x), NUMBERS, twice, wrong) == "from zero"
    with pytest.raises(ValueError, match="mine"):
        compare(lambda x: int("mine"), NUMBERS, twice, wrong)
    with pytest.raises(NotYet):
        compare(module._guided(lambda x: None, ["x"]), NUMBERS, twice, wrong)


def test_several_solutions_may_be_right():
    rights = (twice, lambda x: 2 * x + 1)
    assert hint(twice, NUMBERS, rights) == hint(rights[1], NUMBERS, rights) == ""
    mixed = hint(lambda x: 2 * x + (x > 2), NUMBERS, rights)
    assert mixed.endswith("For x = 3 it should be 6; yours is 7.")


@pytest.mark.parametrize(
    ("result", "expected", "words"),
    [
        ([1, 2], 1.0, "Return one number, 1; you returned a list of 2."),
        (torch.zeros(2), 1.0, "Return one number, 1; you returned a tensor of shape [2]."),
        ("1", 1.0, "Return one number, 1; you returned the text '1'."),
        ({}, torch.zeros(2, 3), "Return a tensor of shape [2, 3]; you returned a dict."),
        (1.0, True, "Return True; you returned one number, 1."),
        ((1, 2, 3), (1, 2), "Return a tuple of 2; you returned a tuple of 3."),
        (torch.zeros(4, 4), torch.eye(4), "the number at [0, 0] should be 1; yours is 0."),
        ([torch.zeros(2), 1], [torch.ones(2), 1], "in result 1, it should be [1, 1]; yours is"),
    ],
)
def test_results_of_another_form(result, expected, words):
    message = hint(lambda: result, [()], lambda: expected)
    assert words in message


@pytest.mark.parametrize(
    ("result", "expected", "equal"),
    [
        (torch.tensor([1.0]), 1.0, True),
        (np.float32(1.0), torch.tensor(1.0, dtype=torch.float64), True),
        ([1, 2], torch.tensor([1.0, 2.0]), True),
        (torch.tensor([1, 2]), [1, 2], True),
        ((torch.ones(2), 3), [np.ones(2), 3], True),
        ([None, "a"], [None, "a"], True),
        ([None, "a"], [None, "b"], False),
        (np.bool_(True), True, True),
        (1, True, False),
        (float("nan"), float("nan"), True),
        (1.0, float("nan"), False),
        (float("inf"), float("inf"), True),
        ([1.0, float("inf")], [2.0, float("inf")], False),
        (torch.tensor([1.0, torch.inf]), torch.tensor([2.0, torch.inf]), False),
        (1e6 + 1, 1e6, True),
        (1.001, 1.0, False),
        (ValueError("a < b"), ValueError("b < a"), True),
        (ValueError("a"), TypeError("a"), False),
        (ValueError("a"), 1.0, False),
        (None, 1.0, False),
        (torch.zeros(0), torch.zeros(0), True),
    ],
)
def test_near(result, expected, equal):
    assert near(result, expected) == equal


# Judging


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
    assert verdict.status == "not right"
    assert "never ends" in verdict.message


def test_own_line_is_shown():
    def fails(a, b, x, y, lr):
        return a / (b - b)

    message = judge("01-update", fails).message
    assert "ZeroDivisionError" in message
    assert "return a / (b - b)" in message
    assert "helpers" not in message


def test_unusable_answers_are_explained():
    for useless in (lambda: 1, lambda *args: "text", print, dict):
        verdict = judge("01-update", useless)
        assert verdict.status == "not right" and verdict.message


def test_a_fault_in_a_check_is_no_traceback(capsys, learner):
    @exercise("01-broken", "a check with a fault of its own")
    def broken(answer):
        raise KeyError("ours")

    try:
        check("01-broken", 1)
    finally:
        module._EXERCISES.pop("01-broken")
    assert "01-broken: not right." in capsys.readouterr().out


# Progress

RATE = 2 / 51.735


def test_progress_is_kept(learner, capsys):
    check("01-largest-rate", RATE)
    assert f"solved. 1 of {len(exercises('01'))}" in capsys.readouterr().out
    progress_file = learner / "data" / "progress.json"
    assert list(json.loads(progress_file.read_text())) == ["01-largest-rate"]
    assert repr(progress()).count("solved on") == 1
    check("01-largest-rate", 1.0)
    assert "solved on" in repr(progress()), "a later wrong answer does not undo it"


def test_damaged_progress_is_begun_anew(learner):
    (learner / "data").mkdir()
    (learner / "data" / "progress.json").write_text('{"01-upd')
    check("01-largest-rate", RATE)
    assert "solved on" in repr(progress())


def test_unwritable_progress_is_said(learner, capsys):
    (learner / "data").write_text("a file where the folder should be")
    check("01-largest-rate", RATE)
    printed = capsys.readouterr().out
    assert "01-largest-rate: solved. ? of" in printed
    assert "Not remembered" in printed


def test_unreadable_progress_is_said(learner, capsys, monkeypatch):
    check("01-largest-rate", RATE)
    hold(monkeypatch)
    capsys.readouterr()
    check("01-largest-rate", RATE)
    printed = capsys.readouterr().out
    assert "Not remembered: " in printed
    assert "progress.json cannot be read now" in printed
    assert "progress.json cannot be read now" in repr(progress())


def test_a_lesson_says_how_far_you_are(learner, capsys):
    check("01-largest-rate", RATE)
    capsys.readouterr()
    begin("01")
    printed = capsys.readouterr().out
    assert printed.startswith("Lesson 01 on cpu, quick size, seed 42.")
    assert f"1 of {len(exercises('01'))} exercises solved so far." in printed


def test_damaged_progress_is_said_when_a_lesson_begins(learner, capsys):
    (learner / "data").mkdir()
    (learner / "data" / "progress.json").write_text('{"01-update": "2026-01-31",}')
    begin("01")
    assert "progress.json is damaged" in capsys.readouterr().out


def test_misspelt_settings_do_not_hide_the_verdict(learner, capsys):
    (learner / "settings.ini").write_text("[learner]\nsede = 1\n")
    check("01-largest-rate", RATE)
    printed = capsys.readouterr().out
    assert "01-largest-rate: solved." in printed
    assert "unknown key: sede" in printed


def test_hint_is_printed(learner, capsys):
    check("01-largest-rate", 1e-4)
    assert capsys.readouterr().out.startswith("01-largest-rate: not right. ")


# Then and now


def test_verdicts_are_words():
    rows = [("a", True, "b", "c"), ("a", np.bool_(False), "b", "c"), ("a", None, "b", "c")]
    rows.append(("a", "not shown", "b", "c"))
    verdicts = [row[1] for row in then_and_now(rows).rows]
    assert verdicts == ["holds", "does not hold", "in part", "not shown"]


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
    "Lesson 13 with photographs at hand and no network: the table says that the weights stand in."
    notebook = nbformat.read(next((ROOT / "nbs").glob("13_*.ipynb")), as_version=4)
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
        pretrained_file=lambda name: Path(file),
        then_and_now=lambda rows: values.update(table=then_and_now(rows)),
    )
    exec(source, values)
    [row] = [row for row in values["table"].rows if "pretrained" in row[0]]
    assert row[1] == verdict and f"Paddy Doctor: {gain:+.3f} ± 0.030" in row[2]
    assert ("stand-in weights" in row[2]) == (verdict == "not shown")
