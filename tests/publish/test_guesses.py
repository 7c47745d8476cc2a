"The stored cards of guesses become forms on the site. In a browser: whole/test_guess.py."

from nbdev.processors import FilterDefaults
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from helpers.course.cards import card
from helpers.course.guess import Guess
from publish.guesses import guesses_proc, with_form


def cell_with(*pages):
    outputs = [new_output("display_data", {"text/html": page}) for page in pages]
    return new_code_cell(outputs=[*outputs, new_output("stream", name="stdout", text="x")])


def test_nbdev_calls_it():
    assert guesses_proc in FilterDefaults().xtra_procs()


def test_guess_and_truth_get_a_form():
    asked = Guess("How many?", [], "")
    question, _ = asked._stored()
    truth, _ = asked._revealed(3, "")
    cell = cell_with(question, truth)
    guesses_proc(cell)
    first, second, _ = cell.outputs
    assert first.data["text/html"] == with_form(question)
    assert second.data["text/html"] == with_form(truth)


def test_nothing_else_changes():
    guessed = Guess("How many?", [], "")
    guessed.said = "3"
    cell = cell_with(card("open", "Not yet"), "<p>course-guess</p>")
    before = cell.copy()
    guesses_proc(cell)
    assert cell == before
    guesses_proc(new_markdown_cell("text"))
