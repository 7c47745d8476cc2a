"Single-file copies: what they hold, what their folded cell does, the workflow that publishes them, copies for classes, flashcards."

import ast
import base64
import importlib.metadata
import io
import json
import os
import re
import shutil
import subprocess
import sys
from copy import deepcopy

import nbformat
import numpy as np
import pytest
import yaml
from elsewhere import cell_of, check_run, notebook
from packaging.requirements import Requirement
from packaging.version import Version
from PIL import Image
from shared import LESSONS, ROOT, pixels

from publish import bundle as b
from publish.lessons import BUNDLES, address, buttons, pyproject

names = [path.stem for path in LESSONS]
each_lesson = pytest.mark.parametrize("path", LESSONS, ids=names)


def files_of(cell):
    "The files that a folded cell carries, read from its source without running it."
    files = {}
    for node in ast.parse(cell.source).body:
        match node:
            case ast.Assign(
                targets=[ast.Subscript(value=ast.Name(id="course_files"), slice=key)], value=text
            ):
                files[ast.literal_eval(key)] = ast.literal_eval(text)
    return files


# --- what they hold


def test_twice_the_same_bytes(bundles):
    assert b.copies() == bundles and sorted(bundles) == [path.name for path in LESSONS] + [
        "flashcards.csv"
    ]


def png(output):
    "The stored picture of an output, or an empty text."
    return output.get("data", {}).get("image/png", "")


def looks_like(ours, theirs):
    "True if a picture is the other one with at most 256 colours."
    few, many = (pixels(base64.b64decode(picture)) for picture in (ours, theirs))
    colors = len(np.unique(few @ [65536, 256, 1]))
    return few.shape == many.shape and colors <= 256 and np.abs(few - many).mean() < 4


def with_pictures_of(copy, lesson):
    "A copy with the lesson's pictures put back; those pictures, and what stood in their place."
    restored, originals, now = deepcopy(copy), [], []
    for ours, theirs in zip(restored.cells, lesson.cells):
        for output, original in zip(ours.get("outputs", []), theirs.get("outputs", [])):
            if not png(original) or output == original:
                continue
            originals.append(png(original))
            now.append(deepcopy(output.data))
            output.data = original.data
    return restored, originals, now


@each_lesson
def test_is_the_lesson_in_one_file(bundles, path):
    "Valid, small, no machine's path; all cells but one are the lesson's, with their outputs; that one is folded everywhere."
    content = bundles[path.name]
    assert len(content) <= 900_000 and b"\r" not in content
    assert not re.search(rb"(?<![\w.])/(?:root|work|tmp|home)/|[A-Z]:\\\\Users", content)
    copy, lesson = notebook(content), nbformat.read(path, as_version=4)
    nbformat.validate(copy)
    assert copy.metadata == lesson.metadata and len(copy.cells) == len(lesson.cells)
    restored, originals, now = with_pictures_of(copy, lesson)
    differ = [
        n for n, (ours, theirs) in enumerate(zip(restored.cells, lesson.cells)) if ours != theirs
    ]
    first = next(n for n, cell in enumerate(lesson.cells) if cell.cell_type == "code")
    assert differ == [first] and "%pip install" in lesson.cells[first].source
    cell = copy.cells[first]
    assert cell.id == lesson.cells[first].id and cell.outputs == []
    assert (
        cell.metadata.jupyter.source_hidden
        and cell.metadata.cellView == "form"
        and cell.metadata["_kg_hide-input"]
    )
    assert re.fullmatch(r'#@title .+ \{display-mode: "form"\}', cell.source.splitlines()[0])
    assert not re.search(
        r"base64|zlib|zipfile", re.sub(r"= r('''|\"\"\").*?\1", "", cell.source, flags=re.S)
    )
    # of the pictures only as many as must be are smaller, and none is left out
    for original, data in zip(originals, now):
        assert len(data["image/png"]) < len(original) and looks_like(data["image/png"], original)
    untouched = [png(output) for cell in copy.cells for output in cell.get("outputs", [])]
    if originals:
        last = min(range(len(originals)), key=lambda n: len(originals[n]))
        saved = len(originals[last]) - len(now[last]["image/png"])
        assert len(content) + saved > 900_000
        unchanged = set(untouched) - {data["image/png"] for data in now}
        assert max(map(len, unchanged)) <= len(originals[last])


@each_lesson
def test_holds_what_it_needs(bundles, path):
    "Every file is the course's own, and every module of the course that any of them or the lesson imports is there."
    files = files_of(cell_of(notebook(bundles[path.name])))
    modules = {name for name in files if name.startswith("helpers/")}
    for name in files:
        if not name.startswith("jupyterquiz/"):
            assert files[name] == (ROOT / name).read_text(encoding="utf-8")
    assert {
        f"helpers/checks/lesson{path.name[:2]}.py",
        "helpers/__init__.py",
        "helpers/checks/__init__.py",
        f"data/quiz/{path.name[:2]}.json",
        "settings.ini",
        "jupyterquiz/LICENSE",
    } <= set(files)
    assert (
        "MIT License" in files["jupyterquiz/LICENSE"]
        and "John M. Shea" in files["jupyterquiz/LICENSE"]
    )
    lesson = "\n".join(
        cell.source
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "code" and "%pip" not in cell.source
    )
    for source in [lesson] + [files[name] for name in modules]:
        for relative, module in re.findall(
            r"^\s*from (\.\.?|helpers\.)([a-z]\w*) import", source, re.M
        ):
            assert f"helpers/{module}.py" in modules, module
    there = {
        name for name in re.findall(r"(\w+)\.csv", lesson) if (ROOT / f"data/{name}.csv").exists()
    }
    assert {f"data/{name}.csv" for name in there} == {
        name for name in files if name.endswith(".csv")
    }


def test_holds_no_more(bundles):
    holds = {
        path.name[:2]: set(files_of(cell_of(notebook(bundles[path.name])))) for path in LESSONS
    }
    modules = lambda lesson: (
        {
            name[8:-3]
            for name in holds[lesson]
            if name.startswith("helpers/") and not name.startswith("helpers/checks/")
        }
        - {"__init__"}
    )
    assert modules("01") == {"data", "exercises", "figures", "front", "settings"}
    assert (
        "vision" not in modules("08")
        and "ratings" in modules("08")
        and "ratings" not in modules("03")
        and {"vision", "leaves", "images", "weights"} <= modules("12")
    )
    for lesson, files in holds.items():
        assert [name for name in files if "helpers/checks/lesson" in name] == [
            f"helpers/checks/lesson{lesson}.py"
        ] and not {"helpers/publish.py", "helpers/bundle.py", "helpers/_modidx.py"} & files
    assert "data/rice.csv" in holds["12"] and "data/multitarget.csv" in holds["13"]


def test_imports_are_found_wherever_they_stand():
    found = b.closure(
        "def f():\n    if True: from helpers.vision import Net\nfrom helpers import optim\nimport helpers.losses as losses\nclass A:\n    from helpers.data.find import (points,\n        adult)"
    )
    assert {
        "helpers/vision.py",
        "helpers/optim.py",
        "helpers/losses.py",
        "helpers/tables.py",
        "helpers/weights.py",
        "helpers/leaves.py",
    } <= set(found)
    assert "helpers/ratings.py" not in found and b.closure("import math") == []


def test_only_what_is_imported_is_asked_for():
    assert b.needed(
        [
            "import torch",
            "def f():\n    from sklearn import svm\n    import pooch, accelerate.utils",
        ]
    ) == {"torch": "2.6", "scikit-learn": "1.3"}


def test_both_triple_quotes_are_refused():
    for text in ("a'''b\\", 'a"""b', '\\n "', "'", ""):
        if not text.endswith("\\"):
            assert ast.literal_eval(b._quoted(text)) == text
    with pytest.raises(ValueError, match="triple quotes"):
        b._quoted("'''\"\"\"")


@pytest.fixture
def shrunk(monkeypatch):
    "Shrink a notebook with three pictures of noise to so many bytes; its pictures, the sizes before and after."
    random = np.random.default_rng(0)
    lesson = nbformat.v4.new_notebook()
    for side in (30, 60, 45):
        file = io.BytesIO()
        noise = random.integers(0, 20, (side, side, 3), dtype=np.uint8)
        Image.fromarray(noise).save(file, "PNG")
        stored = base64.b64encode(file.getvalue()).decode()
        outputs = [
            nbformat.v4.new_output("stream", text="a loss"),
            nbformat.v4.new_output("display_data", {"image/png": stored, "text/plain": "<Figure>"}),
        ]
        lesson.cells.append(nbformat.v4.new_code_cell("plot()", outputs=outputs))

    def run(most):
        monkeypatch.setattr(b, "MOST", most)
        copy = deepcopy(lesson)
        b.shrink(copy)
        restored, _, _ = with_pictures_of(copy, lesson)
        assert restored == lesson
        states = {}
        for side, ours, theirs in zip((30, 60, 45), copy.cells, lesson.cells):
            now, before = ours.outputs[1], theirs.outputs[1]
            if now == before:
                states[side] = "as it was"
            elif png(now):
                states[side] = "smaller" if looks_like(png(now), png(before)) else "another"
            else:
                states[side] = now.data
        return states, len(b._bytes(copy))

    return run


def test_largest_pictures_are_made_smaller_first(shrunk):
    "At the limit nothing changes; one byte less, and the largest picture has fewer colours."
    states, size = shrunk(10**6)
    assert shrunk(size) == (states, size) and set(states.values()) == {"as it was"}
    states, smaller = shrunk(size - 1)
    assert states == {60: "smaller", 45: "as it was", 30: "as it was"} and smaller < size - 1
    states, _ = shrunk(smaller - 1)
    assert states == {60: "smaller", 45: "smaller", 30: "as it was"}


def test_largest_pictures_are_left_out_where_that_is_not_enough(shrunk):
    "A sentence stands in their place; the others stay, and so does every other output."
    _, size = shrunk(10**6)
    left_out = {"text/plain": b.LEFT_OUT}
    assert "Run this cell to see it" in b.LEFT_OUT
    while True:  # as small as it gets with all three
        states, smaller = shrunk(size - 1)
        if left_out in states.values():
            break
        size = smaller
    assert states == {60: left_out, 45: "smaller", 30: "smaller"} and smaller < size
    states, smallest = shrunk(smaller - 1)
    assert states == {60: left_out, 45: left_out, 30: "smaller"}
    with pytest.raises(
        ValueError,
        match=r"Without any picture this copy still has 1,\d+ bytes, and 1,000 are allowed",
    ):
        shrunk(1000)


def test_copy_is_shrunk(monkeypatch):
    "A lesson at the limit keeps all but the largest pictures, and every other output."
    monkeypatch.setattr(b, "MOST", 350_000)
    copy, lesson = b.bundle(LESSONS[0]), nbformat.read(LESSONS[0], as_version=4)
    restored, originals, now = with_pictures_of(copy, lesson)
    assert [cell.get("outputs") for cell in restored.cells] == [
        cell.get("outputs") for cell in lesson.cells
    ]
    gone = [original for original, data in zip(originals, now) if "image/png" not in data]
    assert 0 < len(gone) < len(originals) == 6 and len(b._bytes(copy)) <= 350_000
    assert cell_of(copy).metadata.cellView == "form"


def test_a_picture_that_is_transparent_or_small_stays():
    for mode, color in [("RGBA", (255, 0, 0, 100)), ("RGB", (255, 0, 0))]:
        file = io.BytesIO()
        Image.new(mode, (8, 8), color).save(file, "PNG", optimize=True)
        stored = base64.b64encode(file.getvalue()).decode()
        output = nbformat.v4.new_output("display_data", {"image/png": stored})
        b.fewer_colors(output)
        assert png(output) == stored


# --- the function in the folded cell


@pytest.fixture
def unpack(tmp_path, monkeypatch, capsys):
    "Run `unpack` in an empty folder; what it printed."
    import tempfile

    (tmp_path / "here").mkdir(), (tmp_path / "temporary").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(sys, "path", list(sys.path))
    modules = {
        name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == "helpers"
    }
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))

    def run(files=None, needs={}):
        b.unpack(
            files
            or {
                "helpers/__init__.py": 'made_by = "the copy"\n',
                "helpers/one.py": "one = 1\n",
                "settings.ini": "[learner]\n",
            },
            needs,
        )
        return capsys.readouterr().out

    run.folder = tmp_path / "here" / "whats-inside-a-neural-net"
    yield run
    for name in list(sys.modules):
        if name.split(".")[0] == "helpers":
            del sys.modules[name]
    sys.modules.update(modules)


def test_unpacked_files_come_first(unpack, tmp_path):
    "Also where another package of that name stands on the path, or has been imported."
    (tmp_path / "here" / "helpers.py").write_text('made_by = "somebody"')
    sys.path.insert(0, str(tmp_path / "here"))
    assert (
        unpack()
        == "The course's package is here, in whats-inside-a-neural-net: 2 modules, versions fit.\n"
    )
    import helpers

    assert helpers.made_by == "the copy" and helpers.__file__.startswith(str(unpack.folder))


def test_second_run(unpack):
    "Keeps what is imported, the learner's settings and files of other lessons; mends what was changed."
    unpack()
    import helpers.one

    (unpack.folder / "settings.ini").write_text("[learner]\nseed = 7\n")
    (unpack.folder / "other.txt").write_text("kept")
    length = len(sys.path)
    unpack()
    assert (
        sys.modules["helpers.one"] is helpers.one
        and len(sys.path) == length
        and sys.path[0] == str(unpack.folder)
    )
    (unpack.folder / "helpers" / "one.py").write_bytes(b"one = 1\r\n")
    unpack()
    assert (
        unpack.folder / "helpers" / "one.py"
    ).read_bytes() == b"one = 1\n" and "helpers.one" not in sys.modules
    assert (unpack.folder / "settings.ini").read_text() == "[learner]\nseed = 7\n" and (
        unpack.folder / "other.txt"
    ).read_text() == "kept"


def test_new_version_replaces_the_old(unpack):
    unpack()
    import helpers.one

    unpack(
        {
            "helpers/__init__.py": "",
            "helpers/one.py": 'one = "another"\n',
            "settings.ini": "[learner]\nnew = 1",
        }
    )
    import helpers.one

    assert (
        helpers.one.one == "another"
        and (unpack.folder / "settings.ini").read_text() == "[learner]\n"
    )


def test_folder_that_cannot_be_written(unpack, tmp_path):
    "A temporary one has to do, and the second run finds it again."
    unpack.folder.write_text("a file is in the way")
    said = unpack()
    assert str(tmp_path / "temporary") in said
    place = sys.path[0]
    unpack()
    assert (
        sys.path[0] == place
        and sys.path.count(place) == 1
        and len(list((tmp_path / "temporary").iterdir())) == 1
    )


def test_what_is_missing_is_said_in_one_line(unpack, monkeypatch):
    versions = {
        "torch": "2.5.1+cu124",
        "timm": "1.0.15",
        "fastai": "2.10.0",
        "fastcore": "2.1",
        "numpy": "3",
    }

    def version(name):
        if name not in versions:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    said = unpack(
        needs={
            "torch": "2.6",
            "timm": "1.0.15",
            "fastai": "2.7.19",
            "numpy": "1.26",
            "requests": "",
        }
    )
    assert said.count("\n") == 1 and said.startswith(
        'Too old or missing here: torch (2.5.1+cu124, 2.6 is needed), requests (missing). Remedy: %pip install --upgrade "torch>=2.6" requests in a new cell'
    )


@pytest.mark.parametrize(
    "fastai, fastcore, needs, fits",
    [
        ("2.8.7", "2.0.5", {"fastai": "2.7.19"}, False),
        ("2.7.19", "2.0", {"fastai": "2.7.19"}, False),
        ("2.8.7", "1.12.36", {"fastai": "2.7.19"}, True),  # Kaggle's
        ("2.8.8", "2.2.12", {"fastai": "2.7.19"}, True),  # Colab's
        ("2.10", "2.0.5", {"fastai": "2.7.19"}, True),
        ("2.8.7", "2.0.5", {}, True),  # a lesson that does without fastai
    ],
)
def test_fastai_that_does_not_go_with_fastcore(unpack, monkeypatch, fastai, fastcore, needs, fits):
    versions = {"fastai": fastai, "fastcore": fastcore, "timm": "1.0.28"}
    monkeypatch.setattr(importlib.metadata, "version", versions.__getitem__)
    said = unpack(needs={"timm": "1.0.21", **needs})
    if fits:
        assert said.endswith("versions fit.\n")
    else:
        assert said.count("\n") == 1 and "timm" not in said
        assert (
            f'fastai ({fastai} does not go with fastcore {fastcore}). Remedy: %pip install --upgrade "fastai>=2.8.8" in a new cell'
            in said
        )


def test_all_faults_are_said_at_once(unpack, monkeypatch):
    versions = {"fastai": "2.8.7", "fastcore": "2.0.5", "timm": "1.0.15"}
    monkeypatch.setattr(importlib.metadata, "version", versions.__getitem__)
    said = unpack(needs={"fastai": "2.7.19", "timm": "1.0.21"})
    assert "timm (1.0.15, 1.0.21 is needed), fastai (2.8.7 does not go with" in said
    assert '--upgrade "timm>=1.0.21" "fastai>=2.8.8" in' in said
    versions["fastai"] = "2.7"
    assert unpack(needs={"fastai": "2.7.19"}).count("fastai (") == 1


def test_list_of_lowest_versions_is_that_of_pyproject():
    "The list that tests/whole/environments.py takes for the lower bounds."
    text = (ROOT / "tests" / "whole" / "versions" / "lowest.txt").read_text(encoding="utf-8")
    pinned = dict(line.split("==") for line in text.splitlines() if not line.startswith("#"))
    asked = map(Requirement, pyproject()["project"]["dependencies"])
    bounds = {one.name: next(iter(one.specifier)).version for one in asked if one.specifier}
    assert {name: Version(least) for name, least in bounds.items()} == {
        name: Version(least) for name, least in pinned.items()
    }


# --- the run (those of the other lessons: whole/test_single_files.py)


@pytest.mark.parametrize("path", LESSONS[:1], ids=names[:1])
def test_runs_where_nothing_is_installed(path, bundles, elsewhere, tmp_path):
    check_run(path, bundles, elsewhere, tmp_path)


# --- the buttons, and the workflow that publishes what they open

WORKFLOW = yaml.safe_load(
    (ROOT / ".github" / "workflows" / "bundles.yml").read_text(encoding="utf-8")
)
STEPS = WORKFLOW["jobs"]["publish"]["steps"]


@each_lesson
def test_buttons_open_what_is_published(path, bundles):
    "All three name the branch and the file; a lesson that is renamed must get new buttons (`make export`) before this passes."
    [cell] = [
        cell
        for cell in nbformat.read(path, as_version=4).cells
        if cell.source.startswith("[Open in Colab]")
    ]
    owner = address().removeprefix("https://github.com/")
    targets = [
        f"https://colab.research.google.com/github/{owner}/blob/{BUNDLES}/{path.name}",
        f"https://kaggle.com/kernels/welcome?src={address()}/blob/{BUNDLES}/{path.name}",
        f"{address()}/raw/{BUNDLES}/{path.name}",
    ]
    assert re.findall(r"\]\(([^)]*)\)", cell.source) == targets and cell.source == buttons(
        path.name
    )
    assert path.name in bundles


def test_workflow_publishes_a_single_commit(tmp_path):
    "Its last commands, tried with a repository of our own; what was on the branch before is gone."
    git = lambda *words, **named: subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=b", *words],
        check=True,
        capture_output=True,
        text=True,
        **named,
    ).stdout.split()
    hub, course = tmp_path / "hub.git", tmp_path / "course"
    git("init", "--bare", "--initial-branch=main", str(hub))
    git("clone", str(hub), str(course))
    shutil.copy(ROOT / ".gitignore", course)
    (course / "nbs").mkdir(), (course / "nbs" / "01_a.ipynb").write_text("{}")
    (
        git("add", ".", cwd=course),
        git("commit", "-m", "lesson", cwd=course),
        git("push", "origin", "HEAD:main", cwd=course),
    )
    publish = next(step["run"] for step in STEPS if step.get("name") == "Publish them")
    for name in ("01_a.ipynb", "01_renamed.ipynb"):
        git("clone", str(hub), str(tmp_path / name))
        (tmp_path / name / "_bundles").mkdir()
        for file in (name, "flashcards.csv"):
            (tmp_path / name / "_bundles" / file).write_text(name)
        subprocess.run(
            ["bash", "-e", "-c", publish],
            cwd=tmp_path / name,
            check=True,
            capture_output=True,
            env={**os.environ, "GITHUB_SHA": "1234"},
        )
        assert git("ls-tree", "-r", "--name-only", BUNDLES, cwd=hub) == [
            name,
            "flashcards.csv",
        ] and git("rev-list", "--count", BUNDLES, cwd=hub) == ["1"]
        assert git("show", f"{BUNDLES}:{name}", cwd=hub) == [name]


# --- copies for classes


@each_lesson
def test_clean_copy(path):
    "All prose and code of the lesson, and none of what was computed or gives an answer away."
    lesson, copy = nbformat.read(path, as_version=4), b.clean(path)
    nbformat.validate(copy)
    code = lambda notebook: [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    assert code(copy) == code(lesson) and "widgets" not in copy.metadata
    assert not any(
        cell.outputs or cell.execution_count for cell in copy.cells if cell.cell_type == "code"
    )
    prose = "\n".join(cell.source for cell in copy.cells if cell.cell_type == "markdown")
    assert (
        "Solution" not in re.findall(r"<summary>(.*?)</summary>", prose)
        and "Answer to" not in prose
        and "Open in Colab" not in prose
    )
    folded = [
        title
        for cell in lesson.cells
        if not cell.source.startswith("<details><summary>The same questions")
        for title in re.findall("<summary>(.*?)</summary>", cell.source)
        if title != "Solution"
    ]
    assert (
        prose.count("<details>") == prose.count("</details>")
        and re.findall("<summary>(.*?)</summary>", prose) == folded
    )
    for asked in json.loads(
        (ROOT / "data" / "quiz" / f"{path.name[:2]}.json").read_text(encoding="utf-8")
    ):
        assert f"** {asked['question']}" in prose
        for choice in asked["answers"]:
            assert (
                f"- {choice['answer']}" in prose
                and f"right. {choice['feedback']}" not in prose
                and f"no. {choice['feedback']}" not in prose
            )
    untouched = {
        cell.source
        for cell in lesson.cells
        if not re.search(r"<details>|Open in Colab", cell.source)
    }
    assert untouched <= {cell.source for cell in copy.cells}


@pytest.fixture
def make(tmp_path, monkeypatch, capsys):
    "Run `make clean-copies` or `make bundle` for lesson 01 in an empty project; what it printed."
    made = {"clean": LESSONS[:1]}
    monkeypatch.setattr(b, "ROOT", tmp_path)
    monkeypatch.setattr(b, "lessons", lambda: made["clean"])
    monkeypatch.setattr(b, "copies", lambda: {"01.ipynb": b"{}", "flashcards.csv": b"a"})

    def run(*words):
        assert b.main(list(words)) == 0
        return capsys.readouterr().out

    run.lessons = made
    return run


@pytest.mark.parametrize(
    "words, folder, name", [(["clean"], "_clean", LESSONS[0].name), ([], "_bundles", "01.ipynb")]
)
def test_nothing_of_the_teachers_is_lost(make, tmp_path, words, folder, name):
    "Own notebooks and answers in a copy stay, however often the copies are made."
    said = make(*words)
    copy = tmp_path / folder / name
    assert copy.is_file() and re.search(rf"^{folder}/{name}: \d\.\d\d MB$", said, re.M)
    own = tmp_path / folder / "my_class.ipynb"
    own.write_text('{"cells": []}')
    copy.write_text(copy.read_text() + " ")
    answered = copy.read_bytes()
    for _ in range(2):
        said = make(*words)
        assert own.read_text() == '{"cells": []}' and copy.read_bytes() == answered
        assert (
            f"{folder}: these files stay as they are, because somebody has changed or made them: {name}."
            in said
        )
        assert f"{folder}/{name}:" not in said and "my_class" not in said
    copy.rename(copy.with_name("answers.ipynb"))
    assert "stay" not in make(*words) and copy.read_bytes() + b" " == answered
    assert copy.with_name("answers.ipynb").read_bytes() == answered


def test_copies_of_lessons_that_are_gone_are_removed(make, tmp_path):
    "If nobody has written into them."
    make.lessons["clean"] = LESSONS[:3]
    make("clean")
    changed = tmp_path / "_clean" / LESSONS[1].name
    changed.write_text('{"mine": 1}')
    make.lessons["clean"] = LESSONS[:1]
    make("clean")
    assert {path.name for path in (tmp_path / "_clean").glob("*.ipynb")} == {
        LESSONS[0].name,
        changed.name,
    }
    assert changed.read_text() == '{"mine": 1}'


# --- flashcards


def imported_by_anki(collection, path):
    "What Anki's own import makes of a file: the log, with all settings as the file's header has them."
    from anki.collection import ImportCsvRequest

    return collection.import_csv(
        ImportCsvRequest(path=str(path), metadata=collection.get_csv_metadata(str(path), None))
    ).log


@pytest.fixture
def collection(tmp_path):
    from anki.collection import Collection

    collection = Collection(str(tmp_path / "collection.anki2"))
    yield collection
    collection.close()


def test_anki_reads_every_question(collection, bundles, tmp_path):
    (tmp_path / "flashcards.csv").write_bytes(bundles["flashcards.csv"])
    assert bundles["flashcards.csv"].decode().splitlines()[:6] == [
        "#separator:Comma",
        "#html:true",
        "#notetype:Basic",
        "#deck:What's Inside a Neural Net?",
        "#columns:Front,Back,Tags",
        "#tags column:3",
    ]
    asked = {
        path.stem: json.loads(
            (ROOT / "data" / "quiz" / f"{path.name[:2]}.json").read_text(encoding="utf-8")
        )
        for path in LESSONS
    }
    total = sum(map(len, asked.values()))
    collection.decks.id(
        "What's Inside a Neural Net?"
    )  # made; Anki before 25.05 does not make it by itself
    log = imported_by_anki(collection, tmp_path / "flashcards.csv")
    assert len(log.new) == collection.note_count() == collection.card_count() == total == 124
    again = imported_by_anki(collection, tmp_path / "flashcards.csv")
    assert len(again.new) == 0 and collection.note_count() == total
    for lesson, questions in asked.items():
        notes = [
            collection.get_note(n)
            for n in collection.find_notes(f'"tag:whats-inside-a-neural-net::{lesson}"')
        ]
        assert len(notes) == len(questions)
    note = collection.get_note(collection.find_notes("")[0])
    assert (
        note.keys() == ["Front", "Back"]
        and collection.decks.name(note.cards()[0].did) == "What's Inside a Neural Net?"
    )


def test_anki_keeps_every_character(collection, tmp_path):
    "Quotes, commas, line ends, what HTML means by its own characters, and code."
    from html import unescape

    hard = [
        '"quoted", and; more',
        "two\nlines",
        "<b>not bold</b> & 1 < 2 &lt; 3",
        "loss.backward()\nxb @ w[:, None]  # 'all'",
        "#html:false",
    ]
    quiz = {
        "01_a": [
            {
                "question": text,
                "answers": [
                    {"answer": f"yes {text}", "correct": True, "feedback": text},
                    {"answer": "no", "correct": False, "feedback": text},
                ],
            }
            for text in hard
        ]
    }
    (tmp_path / "cards.csv").write_text(b.flashcards(quiz), encoding="utf-8")
    assert len(imported_by_anki(collection, tmp_path / "cards.csv").new) == len(hard)
    seen = lambda field: unescape(re.sub(r"</?(ul|li|b)>", "", field.replace("<br>", "\n")))
    assert not any(
        "\n" in field for n in collection.find_notes("") for field in collection.get_note(n).fields
    )  # a browser shows no such line end
    notes = {
        seen(note["Front"]): seen(note["Back"])
        for note in (collection.get_note(n) for n in collection.find_notes(""))
    }
    assert notes == {f"{text}yes {text}no": f"yes {text}\n{text}no: no. {text}" for text in hard}
