"The learner's switches: what is accepted, what is refused and in which words."

import io
import os
import sys
import tempfile
from configparser import ConfigParser
from pathlib import Path

import nbformat
import pytest
import torch
from shared import ROOT, hold

import helpers
from helpers.course.settings import (
    CHOICES,
    DEFAULTS,
    SettingsError,
    best_device,
    interactive,
    settings,
)


@pytest.fixture(autouse=True)
def bare(tmp_path, monkeypatch):
    "An empty working folder, and none of the environment variables that the package reads."
    for name in (
        "HELPERS_SETTINGS",
        "HELPERS_DATA",
        "HELPERS_QUIET",
        "KAGGLE_KERNEL_RUN_TYPE",
        "RANK",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def write(tmp_path, monkeypatch):
    "A function that writes a settings.ini and points HELPERS_SETTINGS at it."

    def write(text, path=tmp_path / "settings.ini"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        monkeypatch.setenv("HELPERS_SETTINGS", str(path))
        return path

    return write


def refused(*words, call=settings):
    "The call raises SettingsError, and its message holds all the words."
    with pytest.raises(SettingsError) as caught:
        call()
    for word in words:
        assert str(word) in str(caught.value)


# The file as it is shipped


def test_shipped_file_holds_the_defaults():
    parser = ConfigParser(interpolation=None)
    parser.read(ROOT / "settings.ini", encoding="utf-8")
    assert parser.sections() == ["learner"]
    assert dict(parser["learner"]) == DEFAULTS


def test_shipped_file_explains_every_key_and_choice():
    comments, comment = {}, ""
    for line in (ROOT / "settings.ini").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            comment += line + "\n"
        else:
            if "=" in line:
                comments[line.split("=")[0].strip()] = comment
            comment = ""
    assert list(comments) == list(DEFAULTS)
    assert all(len(comment) > 20 for comment in comments.values())
    for key, allowed in CHOICES.items():
        for choice in allowed:
            assert choice in comments[key], f"{choice} is not explained at {key}"


# Reading


def test_values_are_read(write, tmp_path):
    path = write("[learner]\noffline = require-real\nseed = 7\ndevice = cpu\nsize = full\n")
    switches = settings()
    assert switches.data_folder is None
    assert switches.offline == "require-real"
    assert switches.seed == 7
    assert switches.device == "cpu"
    assert switches.size == "full"
    assert switches.root == tmp_path
    assert switches.cache == tmp_path / "data" / "cache"
    assert switches.pick(1, 2) == 2
    path.write_text("[learner]\n")  # read afresh: an edit needs no restart
    switches = settings()
    assert switches.offline == "allow-stand-in"
    assert switches.seed == 42
    assert switches.device == "auto"
    assert switches.size == "quick"
    assert switches.pick(1, 2) == 1


def test_on_kaggle_the_cache_is_no_output(write, tmp_path, monkeypatch):
    "The working folder is kept as the notebook's output there: no many and no deep folders."
    write("[learner]\n")
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Batch")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    assert settings().cache.is_relative_to(tmp_path / "temporary") and settings().root == tmp_path


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_another_encoding_is_refused(tmp_path, monkeypatch, encoding):
    "It is not passed over, though nobody named it."
    (tmp_path / "settings.ini").write_bytes("[learner]\noffline = require-real\n".encode(encoding))
    refused(tmp_path / "settings.ini", "UTF-8")


def test_byte_order_mark_is_no_obstacle(write):
    write(b"\xef\xbb\xbf[learner]\nseed = 7\n")
    assert settings().seed == 7


@pytest.mark.parametrize("key", CHOICES)
def test_every_choice_is_accepted(write, key):
    for choice in CHOICES[key]:
        write(f"[learner]\n{key} = {choice}\n")
        assert getattr(settings(), key) == choice


def test_foreign_file_is_passed_over(tmp_path):
    (tmp_path / "settings.ini").write_text("[DEFAULT]\nlib_name = somebody_else\nseed = 7\n")
    assert settings().root == ROOT
    assert settings().seed == int(DEFAULTS["seed"])


def test_own_file_is_found_above_a_foreign_one(tmp_path, monkeypatch):
    (tmp_path / "settings.ini").write_text("[learner]\nseed = 7\n")
    below = tmp_path / "nbs" / "backstage"
    below.mkdir(parents=True)
    (below / "settings.ini").write_text("[DEFAULT]\nseed = 8\n")
    monkeypatch.chdir(below)
    assert (settings().seed, settings().root) == (7, tmp_path)


def test_no_file_at_all_means_the_defaults(tmp_path, monkeypatch):
    monkeypatch.setattr(
        helpers, "__file__", str(tmp_path / "site-packages" / "helpers" / "__init__.py")
    )
    switches = settings()
    assert {key: str(getattr(switches, key) or "") for key in DEFAULTS} == DEFAULTS
    assert switches.root.is_relative_to(Path.home())


# Refusing


def test_unknown_key(write):
    path = write("[learner]\nsise = full\nsede = 1\n")
    refused(path, "sise", "sede", *DEFAULTS)


@pytest.mark.parametrize("key", CHOICES)
@pytest.mark.parametrize("value", ["huge", ""])
def test_unknown_value(write, key, value):
    path = write(f"[learner]\n{key} = {value}\n")
    refused(path, f"{key} = ", repr(value), *CHOICES[key])


@pytest.mark.parametrize("seed", ["-1", "1.5", "many", "", "9" * 30])
def test_bad_seed(write, seed):
    path = write(f"[learner]\nseed = {seed}\n")
    refused(path, "seed = ", repr(seed), "whole number")


def test_missing_section(write):
    refused(write("[DEFAULT]\nseed = 7\n"), "[learner]")
    refused(write(""), "[learner]")


@pytest.mark.parametrize(
    "text",
    [
        b"[learner]\nseed = \xff\xfe\n",
        b"seed = 7\n",
        b"[learner]\nseed\n",
        b"[learner]\nseed = 7\nseed = 8\n",
    ],
)
def test_file_that_is_no_settings_file(write, text):
    refused(write(text), "cannot be read")


@pytest.mark.parametrize("named", [True, False])
def test_file_that_may_not_be_read(write, monkeypatch, named):
    path = write("[learner]\nseed = 7\n")
    if not named:
        monkeypatch.delenv("HELPERS_SETTINGS")
    hold(monkeypatch, path.name)
    refused(path, "cannot be read", "Permission denied")


def test_named_file_is_missing(tmp_path, monkeypatch):
    for path in (tmp_path / "nowhere.ini", tmp_path):
        monkeypatch.setenv("HELPERS_SETTINGS", str(path))
        refused("HELPERS_SETTINGS", path)


def test_missing_data_folder(write, monkeypatch):
    path = write("[learner]\ndata_folder = nowhere\n")
    refused(path, "nowhere", "data_folder")
    monkeypatch.setenv("HELPERS_DATA", "lost")
    refused("lost", "HELPERS_DATA")


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_device_that_is_not_there(write, monkeypatch, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    write(f"[learner]\ndevice = {device}\n")
    refused("settings.ini", f"device = {device}", "auto", "cpu", call=best_device)


@pytest.mark.parametrize(
    "cuda, mps, best",
    [(True, False, "cuda"), (True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_best_device(write, monkeypatch, cuda, mps, best):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    write("[learner]\n")
    assert best_device().type == best
    write("[learner]\ndevice = cpu\n")
    assert best_device().type == "cpu"


# The data folder


def test_data_folder_starts_at_the_file(write, tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    write("[learner]\ndata_folder = ../data\n", tmp_path / "course" / "settings.ini")
    elsewhere = tmp_path / "else" / "where"
    for folder in (elsewhere, elsewhere.parent / "data"):
        folder.mkdir(parents=True)
    monkeypatch.chdir(elsewhere)  # from here, ../data would be another folder
    assert settings().data_folder.resolve() == tmp_path / "data"
    write(f"[learner]\ndata_folder = {elsewhere}\n")
    assert settings().data_folder == elsewhere


def test_environment_wins(write, tmp_path, monkeypatch):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    write("[learner]\ndata_folder = one\n")
    assert settings().data_folder == tmp_path / "one"
    monkeypatch.setenv("HELPERS_DATA", str(tmp_path / "two"))
    assert settings().data_folder == tmp_path / "two"
    monkeypatch.setenv("HELPERS_DATA", "")
    assert settings().data_folder == tmp_path / "one"


# Progress bars


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_only_the_main_process_is_watched(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    for rank, watched in (("0", True), ("1", False), ("12", False)):
        monkeypatch.setenv("RANK", rank)
        assert interactive() == watched


def test_nobody_watches_a_pipe(monkeypatch):
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert not interactive()
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert interactive()
    monkeypatch.setenv("HELPERS_QUIET", "1")
    assert not interactive()


MANY = """
from helpers.course import settings
from helpers.course.settings import progress_bar
settings.SHOWN_AFTER = 0
for _ in range(60):
    with progress_bar(2) as bar:
        bar.refresh()
"the result"
"""
NESTED = """
with progress_bar(2, desc="outer") as outer:
    for _ in range(3):
        with progress_bar(2, desc="inner") as inner:
            inner.refresh()
            outer.refresh()
print("done")
"""
FAILED = """
with progress_bar(2) as bar:
    bar.refresh()
    1 / 0
"""
LEFT = """
from ipywidgets.widgets import widget
instances = getattr(widget, "_instances", None)
if instances is None:  # ipywidgets 7
    instances = widget.Widget.widgets
names = [type(each).__name__ for each in instances.values()]
names.count("FloatProgress")
"""
QUICK = """
settings.SHOWN_AFTER = 60
with progress_bar(2) as bar:
    bar.refresh()
"the result"
"""


def run_cells(*sources):
    "Run cells in a real kernel where somebody watches; the cells' outputs."
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipywidgets")
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in sources]
    client = nbclient.NotebookClient(notebook, kernel_name="python3", allow_errors=True)
    client.execute(env={**os.environ, "PYTHONPATH": str(ROOT)})
    return [cell.outputs for cell in notebook.cells]


def test_bars_of_a_cell_share_one_output():
    "JupyterLab hides what comes after fifty outputs. Nothing of a bar stays, nor after an error."
    many, nested, failed, left, quick, now = run_cells(MANY, NESTED, FAILED, LEFT, QUICK, LEFT)
    nothing = {"text/html": "", "text/plain": ""}
    for outputs in (many, nested, failed):
        assert len(outputs) == 2 and outputs[0]["data"] == nothing
    assert many[1]["data"]["text/plain"] == "'the result'"
    assert nested[1]["text"] == "done\n"
    assert failed[1]["ename"] == "ZeroDivisionError"
    # Of widgets only the last cell's is left: many that nobody sees would fill the notebook.
    assert left[0]["data"]["text/plain"] == now[0]["data"]["text/plain"] == "1"
    [result] = quick
    assert result["data"]["text/plain"] == "'the result'"
