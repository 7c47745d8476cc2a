"Notebooks run from top to bottom, without a warning. (Lessons on stand-ins, offline: test_single_files.py.)"

import re

import nbformat
import pytest
from shared import LESSONS, ROOT, noise

from publish.lessons import execute, printed


def shows_something(path):
    "Whether a notebook shows or checks a value; what only defines functions is imported in ../test_imports.py."
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    definition = re.compile(r"#\| *(exports?|exporti|hide|default_exp)\b|show_doc\(")
    return any(cell.source.strip() and not definition.match(cell.source) for cell in cells)


BACKSTAGE = list(filter(shows_something, sorted((ROOT / "nbs" / "backstage").glob("*.ipynb"))))


@pytest.mark.real
@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_runs_on_real_data(path, real_data):
    notebook, seconds = execute(path)
    print(f"{path.stem}: {seconds:.0f} s on real data")
    assert noise(notebook) == []
    assert "stand-in" not in printed(notebook)


@pytest.mark.parametrize(
    "path", [*BACKSTAGE, ROOT / "nbs" / "index.ipynb"], ids=lambda path: path.stem
)
def test_backstage_runs(path, learner):
    assert noise(execute(path)[0]) == []
