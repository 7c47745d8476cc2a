"What the exercises of a lesson need, so that a reader who comes back knows what to run first."

import builtins
import re

from publish.lessons import is_set_up
from publish.live import names_of

ALWAYS_THERE = {*dir(builtins), "__name__"}


def set_up_cells(
    notebook,  # a lesson
) -> list:  # of code cells
    "The first cells of a lesson, down to the one that calls `begin`."
    cells = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cells.append(cell)
            if re.search(r"^begin\(", cell.source, re.MULTILINE):
                return cells
    raise ValueError("A lesson calls begin(...) in one of its first cells.")


def exercise_cells(
    notebook,  # a lesson
) -> list:  # of cells
    "The cells under the heading *Exercises*, up to the quiz."
    cells = []
    begun = False
    for cell in notebook.cells:
        if begun and cell.source.startswith("## Quiz"):
            return cells
        if begun:
            cells.append(cell)
        begun = begun or cell.source.startswith("## Exercises")
    raise ValueError("A lesson has the headings Exercises and Quiz.")


def exercise_code(
    notebook,  # a lesson
) -> list:  # Python texts, in order
    "The code of the exercises and of their solutions."
    sources = []
    for cell in exercise_cells(notebook):
        if cell.cell_type == "code":
            sources.append(cell.source)
        else:
            sources += re.findall(r"^```python\n(.*?)^```", cell.source, re.MULTILINE | re.DOTALL)
    return sources


def needed_from_above(
    notebook,  # a lesson
) -> list:  # names, sorted
    "What the exercises use, and the first cells do not set."
    known = set(ALWAYS_THERE)
    for cell in set_up_cells(notebook):
        if not is_set_up(cell):
            known |= names_of(cell.source)[1]
    lacking = set()
    for source in exercise_code(notebook):
        used, made = names_of(source)
        known |= made
        lacking |= used - known
    return sorted(lacking)


def lead_in(
    notebook,  # a lesson
) -> str:  # Markdown
    "What a reader who comes back to the exercises has to run."
    names = [f"`{name}`" for name in needed_from_above(notebook)]
    code = "\n".join(exercise_code(notebook))
    several = len(re.findall(r"^check\(", code, re.MULTILINE)) > 1
    subject = "the exercises" if several else "the exercise"
    if not names:
        needs = "need" if several else "needs"
        return (
            "*Coming back later?* Run the first cells, down to the box that says which lesson this "
            f"is, and go on here: {subject} {needs} nothing else."
        )
    listed = " and ".join([", ".join(names[:-1]), names[-1]]) if names[1:] else names[0]
    uses = "use" if several else "uses"
    return (
        f"*Coming back later?* {subject.capitalize()} also {uses} {listed} from above: select "
        "this cell, choose *Run > Run All Above Selected Cell*, and go on here when it is done."
    )
