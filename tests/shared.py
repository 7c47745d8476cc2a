"What several test modules use: places, a port nobody listens on, copies of the course."

import io
import os
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
LESSONS = sorted((ROOT / "nbs").glob("[0-9][0-9]_*.ipynb"))
RACE, SOFTMAX = (
    ROOT / "nbs" / "04_momentum_adam.ipynb",
    ROOT / "nbs" / "07_cross_entropy.ipynb",
)  # they have stored frames


def closed_port():
    "A local port on which nobody listens."
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def copy_course(folder, names=("nbs", "data", "helpers")):
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
    for way in ("read_bytes", "read_text"):

        def held(path, *args, _read=getattr(Path, way), **kwargs):
            if path.name == name:
                raise PermissionError(13, "Permission denied")
            return _read(path, *args, **kwargs)

        monkeypatch.setattr(Path, way, held)
