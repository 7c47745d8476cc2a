"A guess is read, kept and compared: in a live notebook, where nothing is live, and as text."

import json
from html.parser import HTMLParser

import nbformat
import numpy as np
import pytest
import torch
from guesses import DIFFERENCES, READ, UNREADABLE
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from helpers.course.guess import difference, guess, read_number, write_number
from publish.bundle import carried


def test_numbers_are_read():
    for text, number in READ.items():
        assert read_number(text) == pytest.approx(number, rel=1e-12), text
    for text in UNREADABLE:
        assert read_number(text) is None, text
    assert read_number("12 %", "%") == read_number("12", "%") == 12


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (11_700, "11,700"),
        (11_700.4, "11,700"),
        (0.123456, "0.1235"),
        (1e-5, "1e-05"),
        (-3.0, "-3"),
        (2e15, "2e+15"),
    ],
)
def test_numbers_are_written(number, text):
    assert write_number(number) == text and write_number(number, "steps") == f"{text} steps"


@pytest.mark.parametrize(("said", "truth", "words"), DIFFERENCES)
def test_difference_in_words(said, truth, words):
    assert difference(said, truth) == words


# --- where nothing is live


@pytest.fixture
def quiet(monkeypatch):
    monkeypatch.setenv("HELPERS_QUIET", "1")


def test_without_a_notebook_it_is_text(quiet, capsys):
    halving = guess("How many?", unit="steps")
    halving.reveal(11_700, "One more sentence.")
    guess("Which?", ["a", "b"]).reveal("b")
    assert capsys.readouterr().out.splitlines() == [
        "Guess before you go on: How many? (a number, in steps)",
        "No guess this time; it is 11,700 steps. One more sentence.",
        "Guess before you go on: Which? (a / b)",
        "No guess this time; it is b.",
    ]


@pytest.mark.parametrize(
    ("truth", "shown"),
    [
        (np.float32(0.25), "0.25"),
        (np.int64(3), "3"),
        (torch.tensor(3.5), "3.5"),
        (torch.tensor([1, 2]), "tensor([1, 2])"),
        (float("nan"), "nan"),
        (None, "None"),
        ("many", "many"),
    ],
)
def test_any_truth_is_shown(quiet, capsys, truth, shown):
    asked = guess("How many?")
    for said in ("", "2", "lots"):
        asked.said = said
        asked.reveal(truth)
        assert f"it is {shown}" in capsys.readouterr().out
    worst = guess("Which?", [1, 2, 3])
    worst.said = "3"
    worst.reveal(truth)


# --- in a kernel

CELLS = [
    "from helpers.course.guess import guess",
    "steps = guess('How many of <b>?', unit='steps')",
    "steps._fields[0].value = 'about 500'",  # typed, and not committed
    "steps.reveal(11_700)",
    "row = guess('Which?', ['first', 'second']); row._fields[1].click()",
    "row.reveal('second', 'And `why`.')",
    "guess('How many of <b>?', unit='steps').reveal(500)",  # as in Run All, later
    "guess('What?').reveal(3)",
    "lots = guess('What?'); lots._fields[0].value = 'lots'; lots._commit()",
    "print(lots._status.value); lots.reveal(3)",
    "guess('What else?')",
]


def run(cells, **variables):
    "The code cells after running them in a kernel of their own."
    notebook = new_notebook(cells=[new_code_cell(source) for source in cells])
    client = NotebookClient(notebook, timeout=60, kernel_name="python3")
    client.execute(env=variables)
    nbformat.validate(notebook)
    return notebook.cells


WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def cells():
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("HELPERS_QUIET", raising=False)
        return run(CELLS)


def text(output):
    return output.data["text/plain"]


def test_what_was_typed_counts(cells):
    "The form is gone when the truth is there: a card can be read on day two."
    [asked] = cells[1].outputs
    assert text(asked) == "How many of <b>? Your guess: 500 steps." and WIDGET not in asked.data
    assert "How many of &lt;b&gt;?" in asked.data["text/html"]
    [answer] = cells[3].outputs
    words = "You said 500 steps; it is 11,700 steps: about 23 times your guess."
    assert text(answer) == words
    page = answer.data["text/html"]
    assert words in page and page.index("<strong>500 steps") < page.index("<strong>11,700 steps")


def test_a_choice(cells):
    [answer] = cells[5].outputs
    assert text(answer) == "You said second, and so it is. And `why`."
    assert "And <code>why</code>." in answer.data["text/html"]


def test_a_guess_stays_in_its_kernel(cells):
    _, answer = cells[6].outputs
    assert text(answer) == "You said 500 steps; it is 500 steps: just what you said."


def test_no_guess(cells):
    _, answer = cells[7].outputs
    assert text(answer) == "No guess this time; it is 3."


def test_what_cannot_be_read_is_said(cells):
    [asked] = cells[8].outputs
    assert text(asked) == "What? You wrote “lots”."
    said, answer = cells[9].outputs
    assert "No single number can be read in “lots”. Try" in said.text
    assert text(answer) == "No single number can be read in “lots”; it is 3."


def test_the_form_has_a_text_behind_it(cells):
    "For untrusted pages, GitHub and nbconvert; and nothing else is shown as the cell's value."
    [asked] = cells[10].outputs
    assert WIDGET in asked.data and asked.output_type == "display_data"
    assert text(asked) == "Guess before you go on: What else? (a number)"
    assert "Run this cell to guess." in asked.data["text/html"]


class Data(HTMLParser):
    "The data of cards."

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name.startswith("data-"):
                self.found.append((name, json.loads(value)))


def test_stored_cards_carry_what_the_site_needs():
    "As authors run it: no widget."
    asked, answer, gone = run(
        [
            "from helpers.course.guess import guess; g = guess('`a` < \"b\"?', ['x', 'y'])",
            "g.reveal('y')",
            "import sys; print('ipywidgets' in sys.modules); guess('n').reveal(float('nan'))",
        ],
        HELPERS_QUIET="1",
    )
    assert (
        list(asked.outputs[0].data) == list(answer.outputs[0].data) == ["text/html", "text/plain"]
    )
    question = '`a` < "b"?'
    [stored] = Data(asked.outputs[0].data["text/html"]).found
    assert stored == ("data-guess", dict(question=question, choices=["x", "y"], unit=""))
    [stored] = Data(answer.outputs[0].data["text/html"]).found
    assert stored == ("data-reveal", dict(question=question, truth="y", shown="y"))
    printed, _, answer = gone.outputs
    assert printed.text == "False\n"
    # not the number nan, which JSON does not know
    [stored] = Data(answer.data["text/html"]).found
    assert stored == ("data-reveal", dict(question="n", truth="nan", shown="nan"))


def test_single_files_carry_it():
    notebook = new_notebook(cells=[new_code_cell("from helpers.course.guess import guess")])
    files = carried(notebook)
    assert {"helpers/course/guess.py", "helpers/course/cards.py"} <= set(files)
