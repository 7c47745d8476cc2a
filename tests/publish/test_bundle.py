"Single-file copies, their folded cell, the workflow that publishes them; copies for classes."

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
import tempfile
from copy import deepcopy

import nbformat
import numpy as np
import pytest
from elsewhere import cell_of, check_run, notebook
from packaging.requirements import Requirement
from packaging.version import Version
from PIL import Image
from shared import (
    LESSONS,
    ROOT,
    SINGLE_FILES,
    code_cells,
    each_lesson,
    each_single_file,
    has_picture,
    pixels,
    read,
    read_workflow,
    stem,
)

from publish import bundle as b
from publish.imports import closure
from publish.lessons import BUNDLES, address, buttons, is_buttons, is_set_up, pyproject
from publish.links import make_public


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


def png(output):
    "The stored picture of an output, or an empty text."
    return output.get("data", {}).get("image/png", "")


# --- what they hold


def test_twice_the_same_bytes(bundles):
    assert b.copies() == bundles
    assert list(bundles) == [path.name for path in SINGLE_FILES] + ["flashcards.csv"]


def looks_like(ours, theirs):
    "True if a picture is the other one with at most 256 colours."
    few = pixels(base64.b64decode(ours))
    many = pixels(base64.b64decode(theirs))
    colors = len(np.unique(few @ [65536, 256, 1]))
    return few.shape == many.shape and colors <= 256 and np.abs(few - many).mean() < 4


def with_pictures_of(copy, lesson):
    "A copy with the lesson's pictures put back; those pictures, and what stood in their place."
    restored = deepcopy(copy)
    originals = []
    now = []
    for ours, theirs in zip(restored.cells, lesson.cells):
        for output, original in zip(ours.get("outputs", []), theirs.get("outputs", [])):
            if not png(original) or output.data == original.data:
                continue
            originals.append(png(original))
            now.append(deepcopy(output.data))
            output.data = original.data
    return restored, originals, now


def without_names(notebook):
    "A copy with the alt texts of the pictures taken out of the outputs."
    notebook = deepcopy(notebook)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if png(output):
                output.metadata.pop("image/png", None)
    return notebook


@each_single_file
def test_file_is_small_and_names_no_machine(bundles, path):
    content = bundles[path.name]
    nbformat.validate(notebook(content))
    assert len(content) <= 970_000 and b"\r" not in content
    assert not re.search(rb"(?<![\w.])/(?:root|work|tmp|home)/|[A-Z]:\\\\Users", content)


@each_single_file
def test_is_the_lesson_in_one_file(bundles, path):
    "All cells but one are the lesson's, with their outputs; that one is folded everywhere."
    copy = notebook(bundles[path.name])
    lesson = read(path)
    assert copy.metadata == lesson.metadata and len(copy.cells) == len(lesson.cells)
    restored, _, _ = with_pictures_of(without_names(copy), lesson)
    make_public(lesson, path)  # the links: test_links.py
    pairs = zip(restored.cells, without_names(lesson).cells)
    [number] = [n for n, (ours, theirs) in enumerate(pairs) if ours != theirs]
    assert is_set_up(lesson.cells[number])
    cell = copy.cells[number]
    assert cell.id == lesson.cells[number].id and cell.outputs == []
    assert cell.metadata.jupyter.source_hidden
    assert cell.metadata.cellView == "form" and cell.metadata["_kg_hide-input"]
    assert re.fullmatch(r'#@title .+ \{display-mode: "form"\}', cell.source.splitlines()[0])
    code = re.sub(r"= r('''|\"\"\").*?\1", "", cell.source, flags=re.DOTALL)
    assert not re.search(r"base64|zlib|zipfile", code)


@each_single_file
def test_few_pictures_are_smaller(bundles, path):
    "Of the pictures only as many as must be are smaller, and none is left out."
    content = bundles[path.name]
    copy = notebook(content)
    _, originals, now = with_pictures_of(copy, read(path))
    for original, data in zip(originals, now):
        assert len(data["image/png"]) < len(original) and looks_like(data["image/png"], original)
    if not originals:
        return
    last = min(range(len(originals)), key=lambda n: len(originals[n]))
    saved = len(originals[last]) - len(now[last]["image/png"])
    assert len(content) + saved > 970_000
    stored = {png(output) for cell in copy.cells for output in cell.get("outputs", [])}
    unchanged = stored - {data["image/png"] for data in now}
    assert max(map(len, unchanged)) <= len(originals[last])


@each_single_file
def test_every_picture_has_its_alt_text(bundles, path):
    "Where IPython and nbconvert look for it."
    for cell in code_cells(notebook(bundles[path.name])):
        for output in cell.outputs:
            if png(output):
                assert output.metadata["image/png"]["alt"] == cell.metadata.alt


@each_single_file
def test_holds_what_it_needs(bundles, path):
    "Each file is the course's own; each module that any of them or the lesson imports is there."
    files = files_of(cell_of(notebook(bundles[path.name])))
    for name in files:
        if not name.startswith("jupyterquiz/"):
            assert files[name] == (ROOT / name).read_text(encoding="utf-8")
    code = [cell.source for cell in code_cells(read(path)) if not is_set_up(cell)]
    for source in [*code, *(text for name, text in files.items() if name.endswith(".py"))]:
        for module in re.findall(r"^\s*from (helpers[.\w]*) import", source, re.MULTILINE):
            name = module.replace(".", "/")
            assert f"{name}.py" in files or f"{name}/__init__.py" in files, module
    for name in list(files):
        if name.startswith("helpers/"):
            assert name.rpartition("/")[0] + "/__init__.py" in files
    lesson = "\n".join(code)
    tables = {path.name for path in (ROOT / "data").glob("*.csv") if path.name in lesson}
    assert {f"data/{name}" for name in tables} == {name for name in files if ".csv" in name}


@each_lesson
def test_holds_exercises_and_quiz(bundles, path):
    files = files_of(cell_of(notebook(bundles[path.name])))
    number = path.name[:2]
    checks = [name for name in files if re.search(r"checks/lesson", name)]
    assert checks == [f"helpers/course/checks/lesson{number}.py"]
    assert f"data/quiz/{number}.json" in files and "settings.ini" in files
    licence = files["jupyterquiz/LICENSE"]
    assert "MIT License" in licence and "John M. Shea" in licence


def test_appendix_holds_neither(bundles):
    for path in SINGLE_FILES[len(LESSONS) :]:
        files = files_of(cell_of(notebook(bundles[path.name])))
        assert "settings.ini" in files
        assert not [name for name in files if re.search("checks/lesson|quiz", name)]


def test_holds_no_more(bundles):
    holds = {}
    for path in LESSONS:
        holds[path.name[:2]] = set(files_of(cell_of(notebook(bundles[path.name]))))
    assert not [name for name in holds["01"] if re.match(r"helpers/(gpu|data)/\w", name)]
    assert "helpers/vision.py" not in holds["10"] and "helpers/data/films.py" in holds["10"]
    assert "helpers/data/films.py" not in holds["03"]
    vision = {"helpers/vision.py", "helpers/data/leaves.py", "helpers/data/weights.py"}
    assert vision | {"helpers/data/paddy.py", "data/rice.csv"} <= holds["16"]
    assert "data/multitarget.csv" in holds["17"]
    for files in holds.values():
        assert "helpers/_modidx.py" not in files
        assert not [name for name in files if name.startswith("publish")]


IMPORTS = """
def f():
    if True: from helpers.vision import Net
from helpers import optim
import helpers.losses as losses
class A:
    from helpers.data.tables import (rossmann,
        adult)
"""


def test_imports_are_found_wherever_they_stand():
    "And what these import, with the packages that they lie in."
    modules = {"vision", "optim", "losses", "data/tables", "data/find", "course/settings"}
    packages = {"__init__", "data/__init__", "course/__init__"}
    files = closure(IMPORTS)
    assert {f"helpers/{name}.py" for name in modules | packages} <= set(files)
    assert "helpers/data/films.py" not in files and "helpers/gpu/__init__.py" not in files
    assert closure("import math") == []


def test_only_what_is_imported_is_asked_for():
    sources = ["import torch", "def f():\n    from sklearn import svm\n    import pooch, fastai.x"]
    needs = b.needed(sources)
    assert list(needs) == ["fastai", "scikit-learn", "torch"]
    assert needs["torch"] == "2.6" and needs["scikit-learn"] == "1.3"


@pytest.mark.parametrize("text", ['a"""b', '\\n "', "'", ""], ids=repr)
def test_quoted_text_is_the_text(text):
    assert ast.literal_eval(b._quoted(text)) == text


def test_both_triple_quotes_are_refused():
    with pytest.raises(ValueError, match="triple quotes"):
        b._quoted("'''\"\"\"")


# --- their size


def stored_noise(side):
    "A picture of noise, as a notebook stores it."
    random = np.random.default_rng(side)
    file = io.BytesIO()
    Image.fromarray(random.integers(0, 20, (side, side, 3), dtype=np.uint8)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


SIDES = (30, 60, 45)


@pytest.fixture
def shrunk(monkeypatch):
    "Shrink a notebook with three pictures to so many bytes; what became of them, and its size."
    lesson = nbformat.v4.new_notebook()
    for side in SIDES:
        data = {"image/png": stored_noise(side), "text/plain": "<Figure>"}
        outputs = [
            nbformat.v4.new_output("stream", text="a loss"),
            nbformat.v4.new_output("display_data", data),
        ]
        lesson.cells.append(nbformat.v4.new_code_cell("plot()", outputs=outputs))

    def state(now, before):
        if now == before:
            return "as it was"
        if not png(now):
            return now.data
        return "smaller" if looks_like(png(now), png(before)) else "another"

    def run(most):
        monkeypatch.setattr(b, "MOST", most)
        copy = deepcopy(lesson)
        b.shrink(copy)
        restored, _, _ = with_pictures_of(copy, lesson)
        assert restored == lesson
        states = {}
        for side, ours, theirs in zip(SIDES, copy.cells, lesson.cells):
            states[side] = state(ours.outputs[1], theirs.outputs[1])
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
    states, _ = shrunk(smaller - 1)
    assert states == {60: left_out, 45: left_out, 30: "smaller"}
    words = r"Without any picture this copy still has 1,\d+ bytes, and 1,000 are allowed"
    with pytest.raises(ValueError, match=words):
        shrunk(1000)


def test_copy_is_shrunk(monkeypatch):
    "A lesson at the limit keeps all but the largest pictures, and every other output."
    monkeypatch.setattr(b, "MOST", 450_000)
    copy = b.bundle(LESSONS[0])
    lesson = read(LESSONS[0])
    restored, originals, now = with_pictures_of(without_names(copy), lesson)
    for ours, theirs in zip(restored.cells, without_names(lesson).cells):
        assert ours.get("outputs") == theirs.get("outputs")
    gone = [data for data in now if "image/png" not in data]
    pictures = [cell for cell in lesson.cells if has_picture(cell)]
    assert 0 < len(gone) < len(pictures) and len(b._bytes(copy)) <= 450_000
    assert cell_of(copy).metadata.cellView == "form"


@pytest.mark.parametrize(("mode", "color"), [("RGBA", (255, 0, 0, 100)), ("RGB", (255, 0, 0))])
def test_a_picture_that_is_transparent_or_small_stays(mode, color):
    file = io.BytesIO()
    Image.new(mode, (8, 8), color).save(file, "PNG", optimize=True)
    stored = base64.b64encode(file.getvalue()).decode()
    output = nbformat.v4.new_output("display_data", {"image/png": stored})
    b.fewer_colors(output)
    assert png(output) == stored


# --- the function in the folded cell


def forget(package):
    "Take a package out of what was imported; its modules."
    names = [name for name in sys.modules if name.split(".")[0] == package]
    return {name: sys.modules.pop(name) for name in names}


SMALL = {
    "helpers/__init__.py": 'made_by = "the copy"\n',
    "helpers/one.py": "one = 1\n",
    "settings.ini": "[learner]\n",
}


@pytest.fixture
def unpack(tmp_path, monkeypatch, capsys):
    "Run `unpack` in an empty folder; what it printed."
    for name in ("here", "temporary"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    modules = forget("helpers")

    def run(files=SMALL, needs={}):
        b.unpack(files, needs)
        return capsys.readouterr().out

    run.folder = tmp_path / "here" / "whats-inside-a-neural-net"
    yield run
    forget("helpers")
    sys.modules.update(modules)


def test_unpacked_files_come_first(unpack, tmp_path):
    "Also where another package of that name stands on the path, or has been imported."
    (tmp_path / "here" / "helpers.py").write_text('made_by = "somebody"')
    sys.path.insert(0, str(tmp_path / "here"))
    said = unpack()
    assert said == (
        "The course's package is here, in whats-inside-a-neural-net: 2 modules, versions fit.\n"
    )
    import helpers

    assert helpers.made_by == "the copy" and helpers.__file__.startswith(str(unpack.folder))


def test_another_package_of_that_name_is_forgotten(unpack, tmp_path):
    (tmp_path / "here" / "helpers.py").write_text('made_by = "somebody"')
    sys.path.insert(0, str(tmp_path / "here"))
    import helpers

    assert helpers.made_by == "somebody"
    unpack()
    import helpers

    assert helpers.made_by == "the copy"


def test_second_run(unpack):
    "Keeps what is imported, the learner's settings and other files; mends what was changed."
    unpack()
    import helpers.one

    (unpack.folder / "settings.ini").write_text("[learner]\nseed = 7\n")
    (unpack.folder / "other.txt").write_text("kept")
    length = len(sys.path)
    unpack()
    assert sys.modules["helpers.one"] is helpers.one
    assert len(sys.path) == length and sys.path[0] == str(unpack.folder)
    module = unpack.folder / "helpers" / "one.py"
    module.write_bytes(b"one = 1\r\n")
    unpack()
    assert module.read_bytes() == b"one = 1\n" and "helpers.one" not in sys.modules
    assert (unpack.folder / "settings.ini").read_text() == "[learner]\nseed = 7\n"
    assert (unpack.folder / "other.txt").read_text() == "kept"


def test_new_version_replaces_the_old(unpack):
    unpack()
    importlib.import_module("helpers.one")
    newer = {"helpers/one.py": 'one = "another"\n', "settings.ini": "[learner]\nnew = 1"}
    unpack({**SMALL, **newer})
    import helpers.one

    assert helpers.one.one == "another"
    assert (unpack.folder / "settings.ini").read_text() == "[learner]\n"


def test_folder_that_cannot_be_written(unpack, tmp_path):
    "A temporary one has to do, and the second run finds it again."
    unpack.folder.write_text("a file is in the way")
    said = unpack()
    assert str(tmp_path / "temporary") in said
    folder = sys.path[0]
    unpack()
    assert sys.path[0] == folder and sys.path.count(folder) == 1
    assert len(list((tmp_path / "temporary").iterdir())) == 1


def test_no_folder_can_be_written(unpack, tmp_path):
    unpack.folder.write_text("a file is in the way")
    (tmp_path / "temporary").rmdir()
    with pytest.raises(OSError, match="The course's files could be written nowhere: .*temporary"):
        unpack()


@pytest.fixture
def installed(monkeypatch):
    "What `importlib.metadata` says is installed: name to version."
    versions = {}

    def version(name):
        if name not in versions:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    return versions


def test_what_is_missing_is_said_in_one_line(unpack, installed):
    installed.update(torch="2.5.1+cu124", timm="1.0.15", fastai="2.10.0", fastcore="2.1", numpy="3")
    needs = dict(torch="2.6", timm="1.0.15", fastai="2.7.19", numpy="1.26", requests="")
    said = unpack(needs=needs)
    assert said.count("\n") == 1
    assert said.startswith(
        "Too old or missing here: torch (2.5.1+cu124, 2.6 is needed), requests (missing). "
        'Remedy: %pip install --upgrade "torch>=2.6" requests in a new cell'
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
def test_fastai_that_does_not_go_with_fastcore(unpack, installed, fastai, fastcore, needs, fits):
    installed.update(fastai=fastai, fastcore=fastcore, timm="1.0.28")
    said = unpack(needs={"timm": "1.0.21", **needs})
    if fits:
        assert said.endswith("versions fit.\n")
        return
    assert said.count("\n") == 1 and "timm" not in said
    assert (
        f"fastai ({fastai} does not go with fastcore {fastcore}). "
        'Remedy: %pip install --upgrade "fastai>=2.8.8" in a new cell'
    ) in said


def test_all_faults_are_said_at_once(unpack, installed):
    installed.update(fastai="2.8.7", fastcore="2.0.5", timm="1.0.15")
    said = unpack(needs={"fastai": "2.7.19", "timm": "1.0.21"})
    assert "timm (1.0.15, 1.0.21 is needed), fastai (2.8.7 does not go with" in said
    assert '--upgrade "timm>=1.0.21" "fastai>=2.8.8" in' in said
    installed["fastai"] = "2.7"
    assert unpack(needs={"fastai": "2.7.19"}).count("fastai (") == 1


def test_list_of_lowest_versions_is_that_of_pyproject():
    "The list that tests/whole/environments.py takes for the lower bounds."
    text = (ROOT / "tests" / "whole" / "versions" / "lowest.txt").read_text(encoding="utf-8")
    pinned = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, version = line.split("==")
            pinned[name] = Version(version)
    bounds = {}
    for requirement in map(Requirement, pyproject()["project"]["dependencies"]):
        for bound in requirement.specifier:
            bounds[requirement.name] = Version(bound.version)
    assert bounds == pinned


# --- the run (those of the other lessons: whole/test_single_files.py)


@pytest.mark.parametrize("path", LESSONS[:1], ids=stem)
def test_runs_where_nothing_is_installed(path, bundles, elsewhere, tmp_path):
    check_run(path, bundles, elsewhere, tmp_path)


# --- the buttons, and the workflow that publishes what they open


@each_single_file
def test_buttons_open_what_is_published(path, bundles):
    "All three name the branch and the file; a notebook that is renamed gets new ones by refresh."
    [cell] = filter(is_buttons, read(path).cells)
    owner = address().removeprefix("https://github.com/")
    assert re.findall(r"\]\((https:[^)]*)\)", cell.source) == [
        f"https://colab.research.google.com/github/{owner}/blob/{BUNDLES}/{path.name}",
        f"https://kaggle.com/kernels/welcome?src={address()}/blob/{BUNDLES}/{path.name}",
        f"{address()}/raw/{BUNDLES}/{path.name}",
    ]
    assert buttons(path.name) in cell.source and path.name in bundles


def git(*words, **options):
    "Run git; the words that it prints."
    command = ["git", "-c", "user.name=a", "-c", "user.email=b", *words]
    options.update(check=True, capture_output=True, text=True)
    return subprocess.run(command, **options).stdout.split()


@pytest.fixture
def hub(tmp_path):
    "A repository with one commit, as a server has it."
    hub = tmp_path / "hub.git"
    course = tmp_path / "course"
    git("init", "--bare", "--initial-branch=main", str(hub))
    git("clone", str(hub), str(course))
    shutil.copy(ROOT / ".gitignore", course)
    (course / "nbs").mkdir()
    (course / "nbs" / "01_a.ipynb").write_text("{}")
    git("add", ".", cwd=course)
    git("commit", "-m", "lesson", cwd=course)
    git("push", "origin", "HEAD:main", cwd=course)
    return hub


def test_workflow_publishes_a_single_commit(hub, tmp_path):
    "Its last commands, tried with a repository of our own; what was on the branch before is gone."
    steps = read_workflow("bundles")["jobs"]["publish"]["steps"]
    [publish] = [step["run"] for step in steps if step.get("name") == "Publish them"]
    variables = {**os.environ, "GITHUB_SHA": "1234"}
    for name in ("01_a.ipynb", "01_renamed.ipynb"):
        folder = tmp_path / name
        git("clone", str(hub), str(folder))
        (folder / "_bundles").mkdir()
        for file in (name, "flashcards.csv"):
            (folder / "_bundles" / file).write_text(name)
        command = ["bash", "-e", "-c", publish]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, env=variables)
        files = git("ls-tree", "-r", "--name-only", BUNDLES, cwd=hub)
        assert files == [name, "flashcards.csv"]
        assert git("rev-list", "--count", BUNDLES, cwd=hub) == ["1"]
        assert git("show", f"{BUNDLES}:{name}", cwd=hub) == [name]


# --- copies for classes


def prose_of(notebook):
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def summaries(text):
    "The titles of what is folded."
    return re.findall(r"<summary>(.*?)</summary>", text)


@each_lesson
def test_clean_copy_has_all_code_and_no_output(path):
    lesson = read(path)
    copy = b.clean(path)
    nbformat.validate(copy)
    assert "widgets" not in copy.metadata
    assert [cell.source for cell in code_cells(copy)] == [
        cell.source for cell in code_cells(lesson)
    ]
    for cell in code_cells(copy):
        assert cell.outputs == [] and cell.execution_count is None


@each_lesson
def test_clean_copy_gives_no_answer_away(path):
    "All other prose of the lesson is there."
    lesson = read(path)
    copy = b.clean(path)
    prose = prose_of(copy)
    assert "Answer to" not in prose and "Open in Colab" not in prose
    assert prose.count("<details>") == prose.count("</details>")
    folded = []
    for cell in lesson.cells:
        if not cell.source.startswith("<details><summary>The same questions"):
            folded += [title for title in summaries(cell.source) if title != "Solution"]
    assert summaries(prose) == folded
    texts = {cell.source for cell in copy.cells}
    for cell in lesson.cells:
        assert re.search(r"<details>|Open in Colab", cell.source) or cell.source in texts


@each_lesson
def test_clean_copy_asks_every_question(path):
    prose = prose_of(b.clean(path))
    file = ROOT / "data" / "quiz" / f"{path.name[:2]}.json"
    for question in json.loads(file.read_text(encoding="utf-8")):
        assert f"** {question['question']}" in prose
        for choice in question["answers"]:
            assert f"- {choice['answer']}" in prose
            for word in ("right", "no"):
                assert f"{word}. {choice['feedback']}" not in prose


@pytest.fixture
def make(tmp_path, monkeypatch, capsys):
    "Make clean copies of some lessons, or bundles, in an empty project; what was printed."

    def run(folder, lessons=LESSONS[:1]):
        monkeypatch.setattr(b, "lessons", lambda: lessons)
        {"_clean": b.write_clean_copies, "_bundles": b.write_bundles}[folder]()
        return capsys.readouterr().out

    monkeypatch.setattr(b, "ROOT", tmp_path)
    monkeypatch.setattr(b, "copies", lambda: {"01.ipynb": b"{}", "flashcards.csv": b"a"})
    return run


@pytest.mark.parametrize(
    ("folder", "name"), [("_clean", LESSONS[0].name), ("_bundles", "01.ipynb")]
)
def test_nothing_of_the_teachers_is_lost(make, tmp_path, folder, name):
    "Own notebooks and answers in a copy stay, however often the copies are made."
    said = make(folder)
    copy = tmp_path / folder / name
    assert copy.is_file() and re.search(rf"^{folder}/{name}: \d\.\d\d MB$", said, re.MULTILINE)
    own = tmp_path / folder / "my_class.ipynb"
    own.write_text('{"cells": []}')
    copy.write_text(copy.read_text() + " ")
    answered = copy.read_bytes()
    for _ in range(2):
        said = make(folder)
        assert own.read_text() == '{"cells": []}' and copy.read_bytes() == answered
        assert (
            f"{folder}: these files stay as they are, because somebody has changed or made them: "
            f"{name}."
        ) in said
        assert f"{folder}/{name}:" not in said and "my_class" not in said
    answers = copy.with_name("answers.ipynb")
    copy.rename(answers)
    assert "stay" not in make(folder) and copy.read_bytes() + b" " == answered
    assert answers.read_bytes() == answered


def test_copies_of_lessons_that_are_gone_are_removed(make, tmp_path):
    "If nobody has written into them."
    first, second, third = LESSONS[:3]
    make("_clean", [first, second, third])
    changed = tmp_path / "_clean" / second.name
    changed.write_text('{"mine": 1}')
    make("_clean", [first])
    copies = {path.name for path in (tmp_path / "_clean").glob("*.ipynb")}
    assert copies == {first.name, second.name}
    assert changed.read_text() == '{"mine": 1}'


# --- flashcards

DECK = "What's Inside a Neural Net?"


def imported_by_anki(collection, path):
    "What Anki's own import makes of a file, with all settings as the file's header has them."
    from anki.collection import ImportCsvRequest

    metadata = collection.get_csv_metadata(str(path), None)
    return collection.import_csv(ImportCsvRequest(path=str(path), metadata=metadata)).log


@pytest.fixture
def collection(tmp_path):
    from anki.collection import Collection

    collection = Collection(str(tmp_path / "collection.anki2"))
    collection.decks.id(DECK)  # Anki before 25.05 does not make it by itself
    yield collection
    collection.close()


def notes_of(collection, query=""):
    return [collection.get_note(number) for number in collection.find_notes(query)]


def test_anki_reads_every_question(collection, bundles, tmp_path):
    path = tmp_path / "flashcards.csv"
    path.write_bytes(bundles["flashcards.csv"])
    assert path.read_text(encoding="utf-8").splitlines()[:6] == [
        "#separator:Comma",
        "#html:true",
        "#notetype:Basic",
        f"#deck:{DECK}",
        "#columns:Front,Back,Tags",
        "#tags column:3",
    ]
    counts = {}
    for lesson in LESSONS:
        file = ROOT / "data" / "quiz" / f"{lesson.name[:2]}.json"
        counts[lesson.stem] = len(json.loads(file.read_text(encoding="utf-8")))
    total = sum(counts.values())
    log = imported_by_anki(collection, path)
    assert len(log.new) == collection.note_count() == collection.card_count() == total > 100
    again = imported_by_anki(collection, path)
    assert len(again.new) == 0 and collection.note_count() == total
    for lesson, count in counts.items():
        tag = f'"tag:whats-inside-a-neural-net::{lesson}"'
        assert len(notes_of(collection, tag)) == count
    note = notes_of(collection)[0]
    assert note.keys() == ["Front", "Back"]
    assert collection.decks.name(note.cards()[0].did) == DECK


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
    questions = []
    for text in hard:
        right = {"answer": f"yes {text}", "correct": True, "feedback": text}
        wrong = {"answer": "no", "correct": False, "feedback": text}
        questions.append({"question": text, "answers": [right, wrong]})
    path = tmp_path / "cards.csv"
    path.write_text(b.flashcards({"01_a": questions}), encoding="utf-8")
    assert len(imported_by_anki(collection, path).new) == len(hard)

    def shown(field):
        assert "\n" not in field  # a browser shows no such line end
        return unescape(re.sub(r"</?(ul|li|b)>", "", field.replace("<br>", "\n")))

    cards = {shown(note["Front"]): shown(note["Back"]) for note in notes_of(collection)}
    assert cards == {f"{text}yes {text}no": f"yes {text}\n{text}no: no. {text}" for text in hard}
