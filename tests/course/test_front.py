"The front page: what is read from the lessons, and what the learner has solved."

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest
from bs4 import BeautifulSoup
from shared import LESSONS, NBS, ROOT, hold

from helpers.course.front import (
    FrontPage,
    lesson_file,
    lessons,
    progress_file,
    read_progress,
    remember,
)


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

    assert sorted(name for lesson in lessons() for name in lesson.exercises) == sorted(WRONG)


def test_progress_is_counted(learner):
    exercises = {lesson.number: lesson.exercises for lesson in lessons()}
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
    assert str(page).startswith("Begin with [lesson 02") and "subtitle | 5 |  | 1 |" in str(page)
    remember("02-one")
    assert "| **solved** |" in str(page) and "| 5 |  | 0 |" in str(page)
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


TITLE = "[x](http://y) <img src=x onerror=alert(1)> `fit` A$AP"


@pytest.fixture
def own_lesson(tmp_path):
    "A folder with one lesson of a learner, whose title and subtitle look like markup."
    folder = tmp_path / "own"
    folder.mkdir()
    first = f"# {TITLE}\n\n> M*A*S*H | <b>\n\n- minutes: 5\n- runs: <1 second"
    notebook = {"cells": [{"source": [first]}, {"source": ["check('99-own', answer)"]}]}
    (folder / "14_own notes.ipynb").write_text(json.dumps(notebook))
    return folder


def test_titles_are_texts(learner, own_lesson):
    from markdown_it import MarkdownIt

    page = MarkdownIt("commonmark").enable("table").render(str(FrontPage(own_lesson)))
    title_cell = (
        '<td><strong><a href="14_own%20notes.ipynb">'
        "[x](http://y) &lt;img src=x onerror=alert(1)&gt; <code>fit</code> A$AP</a></strong>"
        "<br>M*A*S*H | &lt;b&gt;</td>"
    )
    assert title_cell in page
    assert "<img" not in page and "<b>" not in page and page.count("<a ") == 2


# --- tiles


def tree(folder=None):
    "The front page's HTML as elements."
    return BeautifulSoup(FrontPage(folder)._repr_html_(), "html.parser")


def words(element):
    return " ".join(element.get_text().split())


def test_every_lesson_has_a_tile(learner):
    tiles = tree().select(".course-tiles > li")
    assert len(tiles) == len(LESSONS)
    for tile, lesson in zip(tiles, lessons()):
        [link] = tile.select("a")
        assert link.get("href") == lesson.path.name
        assert words(link) == f"{lesson.number}. {lesson.title}"
        text = words(tile)
        assert lesson.subtitle in text
        assert f"{lesson.minutes} minutes to study, {lesson.runs} to run" in text
        assert f"0 of {len(lesson.exercises)} solved" in text


def test_every_lesson_has_a_drawing_of_its_own(learner):
    "Inside the page, so that nothing has to be fetched; small; without words for the title's."
    sources = []
    for image in tree().select(".course-tiles > li > img"):
        assert image.get("alt") == ""
        kind, _, drawing = image.get("src").partition(",")
        assert kind == "data:image/svg+xml"
        assert "viewBox='0 0 240 120'" in unquote(drawing)
        sources.append(unquote(drawing))
    assert len(set(sources)) == len(LESSONS)
    assert max(map(len, sources)) < 2500


def test_the_first_link_leads_on(learner):
    first, _, third, *_ = lessons()
    [go] = tree().select("a.course-go")
    assert go.get("href") == first.path.name
    assert words(go) == f"Begin with lesson 01, {first.title}"
    remember(third.exercises[0])
    page = tree()
    [go] = page.select("a.course-go")
    assert go.get("href") == third.path.name
    assert words(go) == f"Go on with lesson 03, {third.title}"
    count = sum(len(lesson.exercises) for lesson in lessons())
    [whole] = page.select(".course-whole")
    assert words(whole) == f"1 of {count} exercises solved"
    tile = page.select(".course-tiles > li")[2]
    assert f"1 of {len(third.exercises)} solved" in words(tile)
    for lesson in lessons():
        for name in lesson.exercises:
            remember(name)
    page = tree()
    assert page.select("a.course-go") == []
    assert "Every exercise of the course is solved." in words(page)


def test_other_pages_are_linked_where_they_are(learner, own_lesson):
    links = [link.get("href") for link in tree().select(".course-more a")]
    assert links == ["glossary.ipynb", "then_and_now.ipynb", "appendix/spreadsheets.ipynb"]
    assert all((NBS / link).is_file() for link in links)
    assert tree(own_lesson).select(".course-more a") == []
    assert "](glossary.ipynb)" in shown() and "glossary" not in str(FrontPage(own_lesson))


def test_titles_are_texts_in_tiles(learner, own_lesson):
    page = tree(own_lesson)
    [tile] = page.select(".course-tiles > li")
    [link] = tile.select("a")
    assert words(link) == f"14. {TITLE}".replace("`", "")
    assert link.get("href") == "14_own%20notes.ipynb"
    assert [code.get_text() for code in tile.select("code")] == ["fit"]
    assert page.select("img, b, em, script") == []
    assert "M*A*S*H | <b>" in words(tile) and "5 minutes to study, <1 second to run" in words(tile)


NO_LESSONS = {
    "empty": "",
    "broken": '{"cells": [',
    "list": "[]",
    "no cells": '{"cells": []}',
    "numbers": '{"cells": [1, 2]}',
    "no title": '{"cells": [{"source": ["My notes"]}]}',
    "no minutes": '{"cells": [{"source": ["# My notes\\n\\n> of today"]}]}',
    "no source": '{"cells": [{}]}',
    "deep": "[" * 100_000,
    "Latin-1": "{ä}",
}


@pytest.mark.parametrize("content", NO_LESSONS.values(), ids=NO_LESSONS)
def test_what_is_no_lesson_is_passed_over(learner, own_lesson, content):
    before = str(FrontPage(own_lesson)), FrontPage(own_lesson)._repr_html_()
    (own_lesson / "18_own_notes.ipynb").write_bytes(content.encode("latin-1"))
    (own_lesson / "19_folder.ipynb").mkdir()
    (own_lesson / "20_nowhere.ipynb").symlink_to("nowhere")
    assert (str(FrontPage(own_lesson)), FrontPage(own_lesson)._repr_html_()) == before


def test_a_lesson_that_changes_is_read_again(learner, own_lesson):
    [path] = own_lesson.iterdir()
    assert "5 minutes" in words(tree(own_lesson))
    path.write_text(path.read_text().replace("minutes: 5", "minutes: 7"))
    os.utime(path, (1, 1))
    assert "7 minutes" in words(tree(own_lesson))


def test_a_problem_with_the_progress_is_said(learner):
    "A damaged file and a switch that is not known: a sentence above the tiles."
    progress_file().parent.mkdir(exist_ok=True)
    progress_file().write_text("{")
    [card] = tree().select(".course-card")
    assert "is damaged" in words(card)
    assert len(tree().select(".course-tiles > li")) == len(LESSONS)
    (learner / "settings.ini").write_text("[learner]\nsise = full\n")
    [card] = tree().select(".course-card")
    assert "has an unknown key: sise" in words(card)
    assert "has an unknown key: sise" in shown()
