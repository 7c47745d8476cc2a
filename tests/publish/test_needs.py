"What a lesson says of its exercises: a reader who comes back needs the first cells only."

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from shared import LESSONS, each_lesson, read

from publish.exercises import exercise_code, lead_in, needed_from_above, set_up_cells
from publish.lessons import is_set_up

QUICK = [path for path in LESSONS if path.name[:2] in ("01", "02", "04", "07", "14")]
CLAIM = (
    "Run the first cells, down to the box that says which lesson this is, "
    "and go on here: the exercise"
)


@each_lesson
def test_the_sentence_is_that_of_the_exercises(path):
    "It stands beneath the heading, before the first exercise."
    notebook = read(path)
    ids = [cell.id for cell in notebook.cells]
    place = ids.index("before-exercises")
    assert notebook.cells[place - 1].source.startswith("## Exercises")
    assert notebook.cells[place + 1].source.startswith("### ")
    assert notebook.cells[place].source == lead_in(notebook)
    assert needed_from_above(notebook) == [] and CLAIM in lead_in(notebook)


@pytest.mark.parametrize("path", QUICK, ids=lambda path: path.stem)
def test_the_first_cells_are_enough(path, learner):
    "Those of the set-up, then the exercises with their solutions; the others by analysis, above."
    notebook = read(path)
    sources = [cell.source for cell in set_up_cells(notebook) if not is_set_up(cell)]
    names = {"__name__": "lesson"}
    for source in [*sources, *exercise_code(notebook)]:
        exec(source, names)


def lesson(*exercise, heading="## Exercises"):
    "A lesson whose exercises are these cells of code and, in brackets, of text."
    cells = [
        new_code_cell("%pip install git+https://example.org"),
        new_code_cell("import math\nfrom helpers.course.exercises import begin, check"),
        new_code_cell('begin("01")'),
        new_code_cell("x = 1\ny = 2\nz = 3"),
        new_markdown_cell(heading),
    ]
    for source in exercise:
        is_text = source.startswith("<")
        cells.append(new_markdown_cell(source) if is_text else new_code_cell(source))
    return new_notebook(cells=[*cells, new_markdown_cell("## Quiz"), new_code_cell("z")])


SOLUTION = "<details><summary>Solution</summary>\n\n```python\n{}\n```\n</details>"
FIRST = 'def f(a):\n    return math.sqrt(a)\n\n\ncheck("01-f", f)'
SECOND = 'w = [f(n) for n in range(3)]\ncheck("01-g", w)'


@pytest.mark.parametrize(
    ("cells", "names"),
    [
        ([FIRST], []),
        ([FIRST, SECOND], []),  # f from the first
        ([SECOND], ["f"]),
        ([FIRST.replace("math.sqrt(a)", "a * x")], ["x"]),
        ([FIRST, SOLUTION.format("def f(a):\n    return a + y - x")], ["x", "y"]),
    ],
)
def test_what_exercises_need(cells, names):
    assert needed_from_above(lesson(*cells)) == names


def test_what_a_reader_is_told():
    assert lead_in(lesson(FIRST)).endswith("the exercise needs nothing else.")
    assert lead_in(lesson(FIRST, SECOND)).endswith("the exercises need nothing else.")
    one = lead_in(lesson('check("01-f", x)'))
    assert "The exercise also uses `x` from above: select this cell" in one
    three = lead_in(lesson('check("01-f", x + y)', 'check("01-g", z)'))
    assert "The exercises also use `x`, `y` and `z` from above" in three
    assert "*Run > Run All Above Selected Cell*" in three


def test_a_lesson_without_these_parts_is_refused():
    with pytest.raises(ValueError, match="headings Exercises and Quiz"):
        lead_in(lesson(FIRST, heading="## Other"))
    with pytest.raises(ValueError, match="calls begin"):
        lead_in(new_notebook(cells=[new_code_cell("x = 1")]))
