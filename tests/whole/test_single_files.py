"Single-file copies of the lessons, run elsewhere. (The first lesson: ../test_bundle.py.)"

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from elsewhere import check_run, environment, required, run
from packaging.utils import canonicalize_name
from shared import LESSONS, ROOT, copy_course, noise

from helpers.data.leaves import render_paddy
from publish.lessons import printed


@pytest.mark.parametrize("path", LESSONS[1:], ids=lambda path: path.stem)
def test_runs_where_nothing_is_installed(path, bundles, elsewhere, tmp_path):
    check_run(path, bundles, elsewhere, tmp_path)


def test_runs_on_kaggles_inputs(bundles, elsewhere, tmp_path):
    "With the rice competition attached to the notebook: its pictures are taken, no stand-in is drawn. Rendered ones in the competition's layout, or the real ones where they are."
    attached, real = (
        tmp_path / "input" / "competitions" / "paddy-disease-classification",
        Path(os.environ.get("COURSE_REAL_DATA", ".")) / "paddy-small",
    )
    attached.parent.mkdir(parents=True)
    if real.is_dir():
        attached.symlink_to(real)
    else:
        render_paddy(attached)
    copy = run(
        elsewhere,
        bundles["13_fine_tuning.ipynb"],
        tmp_path,
        HELPERS_KAGGLE_INPUT=str(tmp_path / "input"),
    )
    assert noise(copy) == []
    shown = printed(copy)
    assert (
        re.search(r"^Paddy Doctor: [\d,]+ photographs .*\(Kaggle's input\)$", shown, re.M)
        and "stand-in leaves" not in shown
    )
    assert "solved." not in shown and shown.count(": not ") >= 3


def test_workflow_makes_them_without_gigabytes(tmp_path, bundles):
    "What its first command installs is enough for its second, and both are of few megabytes."
    path = ROOT / ".github" / "workflows" / "bundles.yml"
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    steps = workflow["jobs"]["make"]["steps"]
    assert workflow[True] == {"push": {"branches": ["main"]}}  # `on` is a truth value in YAML
    [commands] = [step["run"] for step in steps if step.get("name") == "Make them"]
    install, make = commands.strip().splitlines()
    assert install == "pip install --no-deps --require-hashes -r .github/bundles.lock"
    wanted = (ROOT / ".github" / "bundles.in").read_text().split()
    names = {canonicalize_name(distribution.name) for distribution in required(wanted)}
    assert not {"torch", "numpy", "ipython"} & names
    lock = (ROOT / ".github" / "bundles.lock").read_text()
    locked = set(re.findall(r"^([a-z][\w-]*)==", lock, re.M))
    assert names <= locked
    python, _ = environment(tmp_path / "venv", wanted)
    course = copy_course(tmp_path / "course")
    program, *words = make.split()
    assert program == "python"
    subprocess.run([python, *words], cwd=course, check=True, env={"PATH": os.defpath})
    made = {path.name: path.read_bytes() for path in (course / "_bundles").glob("[!.]*")}
    assert made == bundles


def test_workflow_hands_them_over():
    "From the job that installs packages to the one that may write: one folder, nothing else."
    path = ROOT / ".github" / "workflows" / "bundles.yml"
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    given = jobs["make"]["steps"][-1]
    taken = jobs["publish"]["steps"][1]
    assert given["uses"].startswith("actions/upload-artifact@")
    assert taken["uses"].startswith("actions/download-artifact@")
    assert jobs["publish"]["needs"] == "make"
    for step in (given, taken):
        assert step["with"]["name"] == "bundles" and step["with"]["path"] == "_bundles"
