"The front page: what is read from the lessons, and what the learner has solved."

import json
import subprocess
import sys
from pathlib import Path

import pytest
from shared import LESSONS, ROOT, hold

from helpers.course.front import FrontPage, lesson_file, progress_file, read_progress, remember


def shown():
    return FrontPage()._repr_markdown_()


def solved():
    return read_progress()[0]


def problem():
    return read_progress()[1]


def test_every_lesson_has_a_row(learner):
    rows = [line for line in shown().splitlines() if line.startswith("| ")][1:]
    assert len(rows) == len(LESSONS)
    for row, path in zip(rows, LESSONS):
        assert row.startswith(f"| {path.name[:2]} | **[")
        assert f"]({path.name})" in row
        assert "<br>" in row
    assert shown().startswith("Begin with [lesson 01, ")


def test_a_lesson_is_found_by_its_number():
    for path in LESSONS:
        assert lesson_file(path.name[:2]) == path
    assert lesson_file("99") is None


def test_exercises_are_those_that_can_be_checked(learner):
    from wrong_answers import WRONG

    assert sorted(name for *_, names in FrontPage().rows() for name in names) == sorted(WRONG)


def test_progress_is_counted(learner):
    exercises = {file[:2]: names for file, *_, names in FrontPage().rows()}
    remember(exercises["03"][0])
    assert f"| 1&nbsp;of&nbsp;{len(exercises['03'])}&nbsp;solved |" in shown()
    assert shown().startswith("Go on with [lesson 03, "), "what was begun comes first"
    for name in exercises["03"]:
        remember(name)
    assert f"**all&nbsp;{len(exercises['03'])}&nbsp;solved**" in shown()
    assert shown().startswith("Go on with [lesson 01, ")
    for names in exercises.values():
        for name in names:
            assert remember(name)
    assert shown().startswith("Every exercise of the course is solved.")


def test_a_lesson_with_one_exercise_or_none(learner, tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    for number, source in (("02", 'check("02-one", answer)'), ("03", "1 + 1")):
        cells = [{"source": ["# Title\n\n> subtitle\n\n- minutes: 5"]}, {"source": [source]}]
        (folder / f"{number}_own.ipynb").write_text(json.dumps({"cells": cells}))
    page = FrontPage(folder)
    assert str(page).startswith("Begin with [lesson 02") and "subtitle | 5 | 1 |" in str(page)
    remember("02-one")
    assert "| **solved** |" in str(page) and "| 5 | 0 |" in str(page)
    assert str(page).startswith("Every exercise of the course is solved.")


def test_the_light_rooms_need_nothing_heavy():
    "JupyterLab's server draws the front page, and bundles are made where PyTorch is not installed."
    rooms = ["files", "front", "lab", "quiz", "settings"]
    code = "import sys\n"
    code += "".join(f"import helpers.course.{room}\n" for room in rooms)
    code += "print({'torch', 'pandas', 'matplotlib', 'numpy'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout == "set()\n"


def test_remembered_once_with_its_day(learner):
    assert solved() == {} and remember("01-update")
    progress_file().write_text('{"01-update": "2026-01-31"}')
    assert remember("01-update") and solved() == {"01-update": "2026-01-31"}


@pytest.mark.parametrize("damaged", ["", '{"01-up', "[]", '"x"', "\x00"])
def test_damaged_file_counts_as_nothing_solved(learner, damaged):
    progress_file().parent.mkdir(exist_ok=True)
    progress_file().write_text(damaged)
    assert solved() == {} and "Begin with" in shown()
    assert remember("01-update") and list(solved()) == ["01-update"]


STATES = {"01-update": "2026-01-31", "03-step": "2026-02-01"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_an_editors_encoding_is_no_obstacle(learner, encoding):
    progress_file().parent.mkdir()
    progress_file().write_bytes(json.dumps(STATES).encode(encoding))
    assert solved() == STATES and problem() == ""
    assert remember("04-momentum")
    assert solved() == {**STATES, "04-momentum": solved()["04-momentum"]}
    assert [path.name for path in progress_file().parent.iterdir()] == ["progress.json"]


DAMAGED = {
    "comma": b'{"01-update": "2026-01-31",}',
    "cut": b'{"01-upd',
    "list": b"[]",
    "empty": b"",
    "deep": b"[" * 100_000,
    "Latin-1": '{"01-update": "März"}'.encode("latin-1"),
}


@pytest.mark.parametrize("damaged", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_put_aside(learner, capsys, damaged):
    "Nothing of it is lost, nor of one that was put aside before; and it is said."
    progress_file().parent.mkdir()
    for number in ("", "2"):
        progress_file().write_bytes(damaged)
        assert solved() == {}
        assert "is damaged" in problem() and "is damaged" in shown()
        assert progress_file().read_bytes() == damaged, "looking changes nothing"
        assert remember("01-update")
        assert list(solved()) == ["01-update"] and problem() == ""
        assert progress_file().with_name(f"progress.damaged{number}.json").read_bytes() == damaged
        assert f"It is kept as progress.damaged{number}.json" in capsys.readouterr().out


def test_a_file_that_cannot_be_read_is_left_alone(learner, monkeypatch):
    remember("01-update")
    before = progress_file().read_bytes()
    with monkeypatch.context() as patched:
        hold(patched)
        assert solved() == {}
        assert "cannot be read now (Permission denied)" in problem()
        assert not remember("03-step")
    assert progress_file().read_bytes() == before and list(solved()) == ["01-update"]


def test_kernels_wait_for_each_other(learner):
    "While another kernel holds the lock, nothing is written that it might write over."
    import threading
    import time

    lock = progress_file().with_suffix(".lock")
    lock.parent.mkdir()
    lock.touch()
    ours = threading.Thread(target=remember, args=["01-update"])
    ours.start()
    time.sleep(0.2)
    progress_file().write_text(json.dumps({"03-step": "the other"}))
    lock.unlink()
    ours.join()
    assert sorted(solved()) == ["01-update", "03-step"] and not lock.exists()


def test_a_lock_that_was_left_is_taken_over(learner, monkeypatch):
    lock = progress_file().with_suffix(".lock")
    lock.parent.mkdir()
    lock.touch()
    monkeypatch.setattr("helpers.course.front.PATIENCE", 0.05)
    assert remember("01-update") and list(solved()) == ["01-update"] and not lock.exists()


def test_a_full_disk_leaves_nothing_behind(learner, monkeypatch):
    remember("01-update")

    def full(path, text, **how):
        path.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    assert not remember("03-step") and list(solved()) == ["01-update"]
    assert [path.name for path in progress_file().parent.iterdir()] == ["progress.json"]


def test_titles_are_texts(learner, tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    first = (
        "# [x](http://y) <img src=x onerror=alert(1)> `fit` A$AP\n\n> M*A*S*H | <b>\n\n- minutes: 5"
    )
    notebook = {"cells": [{"source": [first]}, {"source": ["check('99-own', answer)"]}]}
    (folder / "14_own notes.ipynb").write_text(json.dumps(notebook))
    from markdown_it import MarkdownIt

    page = MarkdownIt("commonmark").enable("table").render(FrontPage(folder)._repr_markdown_())
    title_cell = (
        '<td><strong><a href="14_own%20notes.ipynb">'
        "[x](http://y) &lt;img src=x onerror=alert(1)&gt; <code>fit</code> A$AP</a></strong>"
        "<br>M*A*S*H | &lt;b&gt;</td>"
    )
    assert title_cell in page
    assert "<img" not in page and "<b>" not in page and page.count("<a ") == 2


def test_jupyterlab_gets_a_filled_front_page(learner, tmp_path):
    import asyncio
    import shutil

    from helpers.course.lab import CourseContents

    shutil.copytree(
        ROOT / "nbs", tmp_path / "nbs", ignore=shutil.ignore_patterns("backstage", "images")
    )
    before = (tmp_path / "nbs" / "index.ipynb").read_bytes()
    remember("01-update")
    contents = CourseContents(root_dir=str(tmp_path))

    def get(path, **options):
        return asyncio.run(contents.get(path, **options))

    cells = get("nbs/index.ipynb")["content"]["cells"]
    [page] = [cell for cell in cells if cell["source"].endswith("FrontPage()")]
    assert "1&nbsp;of&nbsp;" in page["outputs"][0]["data"]["text/markdown"]
    assert (tmp_path / "nbs" / "index.ipynb").read_bytes() == before
    lesson = get("nbs/01_gradient_descent.ipynb")["content"]
    assert json.loads(json.dumps(lesson))["cells"][0]["source"].startswith("# Gradient")
    assert get("nbs/index.ipynb", content=False)["content"] is None
    assert get("nbs")["type"] == "directory"
