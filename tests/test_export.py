"`helpers/` is what nbdev makes of the notebooks, and the notebooks are clean."

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from shared import ROOT


def tool(name):
    return str(Path(sys.executable).parent / name)


@pytest.fixture
def copy(tmp_path):
    for name in ("nbs", "helpers"):
        shutil.copytree(
            ROOT / name,
            tmp_path / name,
            ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"),
        )
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def contents(folder, pattern):
    return {
        str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob(pattern))
    }


def test_helpers_equal_the_export(copy):
    before = contents(ROOT / "helpers", "*.py")
    for path in (copy / "helpers").rglob("*.py"):
        if path.name != "__init__.py":
            path.unlink()
    subprocess.run([tool("nbdev-export")], cwd=copy, check=True, capture_output=True)
    assert contents(copy / "helpers", "*.py") == before


def test_notebooks_are_clean(copy):
    before = contents(copy / "nbs", "*.ipynb")
    subprocess.run([tool("nbdev-clean")], cwd=copy, check=True, capture_output=True)
    changed = [
        name
        for name, content in contents(copy / "nbs", "*.ipynb").items()
        if content != before[name]
    ]
    assert changed == []


def test_modules_are_small():
    "Learners read the package: no module longer than a few screens."
    for path in (ROOT / "helpers").glob("[a-z]*.py"):
        if path.stem != "bundle":  # no lesson imports it
            assert len(path.read_text().splitlines()) < 270, path
