"The questions are complete: one right answer each, and an explanation for every choice."

import json

import pytest
from shared import LESSONS, ROOT

from helpers.course.quiz import questions, quiz, quiz_text

numbers = [path.name[:2] for path in LESSONS]


@pytest.mark.parametrize("number", numbers)
def test_questions(number):
    asked = questions(number)
    assert len(asked) >= 8
    assert len({question["question"] for question in asked}) == len(asked)
    for question in asked:
        assert (
            set(question) == {"question", "type", "answers"}
            and question["type"] == "multiple_choice"
        )
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


def test_missing_questions_are_said(tmp_path, monkeypatch, capsys):
    import helpers.course.exercises as exercises

    monkeypatch.setattr(
        exercises, "questions", lambda lesson: (_ for _ in ()).throw(FileNotFoundError("gone"))
    )
    quiz("01")
    assert "stand below" in capsys.readouterr().out


def test_files_are_plain_json():
    for path in (ROOT / "data" / "quiz").glob("*.json"):
        assert json.loads(path.read_text(encoding="utf-8"))
