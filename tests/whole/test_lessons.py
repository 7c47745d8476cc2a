"""Notebooks run from top to bottom, without a warning.

Lessons on stand-ins, offline: test_single_files.py."""

import pytest
from shared import BACKSTAGE, NBS, SINGLE_FILES, noise, stem

from publish.lessons import execute, printed


@pytest.mark.real
@pytest.mark.parametrize("path", SINGLE_FILES, ids=stem)
def test_runs_on_real_data(path, real_data):
    notebook, seconds = execute(path)
    print(f"{path.stem}: {seconds:.0f} s on real data")
    assert noise(notebook) == []
    assert "stand-in" not in printed(notebook)


@pytest.mark.parametrize("path", [*BACKSTAGE, NBS / "index.ipynb"], ids=stem)
def test_backstage_runs(path, learner):
    "Its demonstrations hold without data and without a network."
    notebook, _ = execute(path)
    assert noise(notebook) == []
