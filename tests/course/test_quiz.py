"The questions are complete: one right answer each, and an explanation for every choice."

import json

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from shared import LESSONS, ROOT

from helpers.course.quiz import questions, quiz, quiz_text

numbers = [path.name[:2] for path in LESSONS]


@pytest.mark.parametrize("number", numbers)
def test_questions(number):
    quiz_questions = questions(number)
    assert len(quiz_questions) >= 6
    assert len({question["question"] for question in quiz_questions}) == len(quiz_questions)
    for question in quiz_questions:
        assert set(question) == {"question", "type", "answers"}
        assert question["type"] == "multiple_choice"
        assert sum(choice["correct"] for choice in question["answers"]) == 1
        assert len(question["answers"]) >= 3
        for choice in question["answers"]:
            assert len(choice["feedback"]) > 10, choice


def test_length_does_not_give_the_answer_away():
    longest = [
        max(question["answers"], key=lambda choice: len(choice["answer"]))["correct"]
        for number in numbers
        for question in questions(number)
    ]
    assert sum(longest) / len(longest) < 0.6


def test_text_holds_everything():
    text = quiz_text("01")
    for question in questions("01"):
        assert question["question"] in text
        for choice in question["answers"]:
            assert choice["answer"] in text and choice["feedback"] in text


@pytest.fixture
def shell():
    "A shell as in a notebook: without one, what is displayed cannot be captured."
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def test_a_quiz_is_shown(learner, shell):
    pytest.importorskip("jupyterquiz")
    with capture_output() as captured:
        quiz("01")
        quiz("01")
    page, script, *again = [output.data for output in captured.outputs]
    assert "outline" in page["text/html"] and page["text/plain"] == "The quiz of lesson 01"
    code = script["application/javascript"]
    assert "data-lm-suppress-shortcuts" in code and "ELEMENT" not in code
    assert "right at the first try." in code
    assert "typeof MathJax != 'undefined'" not in code
    assert "Right. " in code + page["text/html"]
    assert again == [page, script], "the same at each run"


def test_missing_questions_are_said(learner, capsys):
    pytest.importorskip("jupyterquiz")
    quiz("00")
    assert "stand below" in capsys.readouterr().out


def test_files_are_plain_json():
    for path in (ROOT / "data" / "quiz").glob("*.json"):
        assert json.loads(path.read_text(encoding="utf-8"))
