"What several test modules use: paths, a port nobody listens on, copies of the course."

import io
import os
import re
import shutil
import socket
from pathlib import Path

import nbformat
import numpy as np
import pytest
import yaml
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
NBS = ROOT / "nbs"
LESSONS = sorted(NBS.glob("[0-9][0-9]_*.ipynb"))
APPENDIX = sorted((NBS / "appendix").glob("*.ipynb"))
SINGLE_FILES = LESSONS + APPENDIX
BACKSTAGE = sorted((NBS / "backstage").rglob("*.ipynb"))
# Two lessons with stored frames.
RACE = NBS / "04_momentum_adam.ipynb"
SOFTMAX = NBS / "07_cross_entropy.ipynb"


def stem(path):
    "The name of a test that is asked for a notebook."
    return path.stem


each_lesson = pytest.mark.parametrize("path", LESSONS, ids=stem)
each_single_file = pytest.mark.parametrize("path", SINGLE_FILES, ids=stem)


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def has_picture(cell):
    "True if a cell has a stored picture."
    return any("image/png" in output.get("data", {}) for output in cell.get("outputs", []))


def is_exported(cell):
    return bool(re.search(r"^#\| *(export|exporti|exports)\b", cell.source, re.MULTILINE))


def checkpoint(path):
    "True for the copies that JupyterLab makes of its own accord."
    return ".ipynb_checkpoints" in Path(path).parts


def read_workflow(name):
    path = ROOT / ".github" / "workflows" / f"{name}.yml"
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def closed_port():
    "A local port on which nobody listens."
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def copy_course(folder, names=("nbs", "data", "helpers", "publish")):
    "Copy the course there, without its caches."
    leave_out = shutil.ignore_patterns(
        "cache", "progress.json", "__pycache__", ".ipynb_checkpoints", "nbdev.yml"
    )
    for name in names:
        shutil.copytree(ROOT / name, folder / name, ignore=leave_out)
    for name in ("settings.ini", "pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder)
    return folder


def missing(what):
    "Skip a test that lacks something, or fail where the environment says BROWSER_TESTS=required."
    fail_or_skip = pytest.fail if os.environ.get("BROWSER_TESTS") == "required" else pytest.skip
    fail_or_skip(what)


def noise(notebook):
    "What an executed notebook wrote to the error stream."
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    streams = [output for output in outputs if output.output_type == "stream"]
    return [output.text for output in streams if output.name == "stderr"]


def pixels(data):
    "A picture file's bytes as numbers [height, width, 3]."
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def hold(monkeypatch, name="progress.json"):
    "From now on a file of that name exists and cannot be read: a virus scanner holds it."

    def held(read):
        def method(path, *args, **kwargs):
            if path.name == name:
                raise PermissionError(13, "Permission denied")
            return read(path, *args, **kwargs)

        return method

    for method in ("read_bytes", "read_text"):
        monkeypatch.setattr(Path, method, held(getattr(Path, method)))
