"Single-file copies of the lessons, run elsewhere. (The first lesson: ../publish/test_bundle.py.)"

import os
import re
import subprocess
from pathlib import Path

import pytest
from elsewhere import check_exercises, check_run, environment, required, run
from packaging.utils import canonicalize_name
from shared import ROOT, SINGLE_FILES, copy_course, noise, read_workflow, stem

from helpers.data.leaves import render_paddy
from publish.lessons import printed


@pytest.mark.parametrize("path", SINGLE_FILES[1:], ids=stem)
def test_runs_where_nothing_is_installed(path, bundles, elsewhere, tmp_path):
    check_run(path, bundles, elsewhere, tmp_path)


@pytest.fixture
def kaggles_input(tmp_path):
    """The folder of Kaggle's inputs, with the rice competition attached.

    The real pictures where they are, else rendered ones in the competition's layout."""
    attached = tmp_path / "input" / "competitions" / "paddy-disease-classification"
    attached.parent.mkdir(parents=True)
    real = Path(os.environ.get("COURSE_REAL_DATA", ".")) / "paddy-small"
    if real.is_dir():
        attached.symlink_to(real)
    else:
        render_paddy(attached)
    return tmp_path / "input"


def test_runs_on_kaggles_inputs(bundles, elsewhere, kaggles_input, tmp_path):
    "The competition's pictures are taken, no stand-in is drawn."
    content = bundles["13_fine_tuning.ipynb"]
    copy = run(elsewhere, content, tmp_path, HELPERS_KAGGLE_INPUT=str(kaggles_input))
    assert noise(copy) == []
    shown = printed(copy)
    line = r"^Paddy Doctor: [\d,]+ photographs .*\(Kaggle's input\)$"
    assert re.search(line, shown, re.MULTILINE) and "stand-in leaves" not in shown
    check_exercises(copy)


# --- the workflow that publishes them


def test_workflow_makes_them_without_gigabytes(tmp_path, bundles):
    "What its first command installs is enough for its second, and both are of few megabytes."
    workflow = read_workflow("bundles")
    assert workflow[True] == {"push": {"branches": ["main"]}}  # `on` is a truth value in YAML
    steps = workflow["jobs"]["make"]["steps"]
    [commands] = [step["run"] for step in steps if step.get("name") == "Make them"]
    install, make = commands.strip().splitlines()
    assert install == "pip install --no-deps --require-hashes -r .github/bundles.lock"
    wanted = (ROOT / ".github" / "bundles.in").read_text().split()
    names = {canonicalize_name(distribution.name) for distribution in required(wanted)}
    assert not {"torch", "numpy", "ipython"} & names
    lock = (ROOT / ".github" / "bundles.lock").read_text()
    assert names <= set(re.findall(r"^([a-z][\w-]*)==", lock, re.MULTILINE))
    python = environment(tmp_path / "venv", wanted)
    course = copy_course(tmp_path / "course")
    program, *words = make.split()
    assert program == "python"
    subprocess.run([python, *words], cwd=course, check=True, env={"PATH": os.defpath})
    made = {path.name: path.read_bytes() for path in (course / "_bundles").glob("[!.]*")}
    assert made == bundles


def test_workflow_hands_them_over():
    "From the job that installs packages to the one that may write: one folder, nothing else."
    jobs = read_workflow("bundles")["jobs"]
    given = jobs["make"]["steps"][-1]
    taken = jobs["publish"]["steps"][1]
    assert given["uses"].startswith("actions/upload-artifact@")
    assert taken["uses"].startswith("actions/download-artifact@")
    assert jobs["publish"]["needs"] == "make"
    for step in (given, taken):
        assert step["with"]["name"] == "bundles" and step["with"]["path"] == "_bundles"
