"""A learner's day in JupyterLab, and the day after: nothing hidden, nothing dead, nothing asked.

Lesson 01 is run and saved; then kernel and browser begin anew. Other pages are only read."""

import json
import shutil
import subprocess

import pytest
from learners_lab import menu, open_lesson, run_all, visit, wait_until_idle
from shared import LESSONS, ROOT, missing

pytestmark = pytest.mark.browser

FIRST = LESSONS[0].name
READ = [path.name for path in LESSONS[1:8]] + ["glossary.ipynb", "then_and_now.ipynb"]
HIDDEN = ".jp-OutputArea-output button:has-text('Show more outputs'), .jp-TrimmedOutputs"
DEAD = "text=/Error displaying widget|model not found|Error creating widget/i"

# Not the sliders of a live figure: ipywidgets draws them, and gives their handles no names.
OURS = (".course", ".course-note", ".course-live", ".Quiz")

# Code cells that have to be scrolled sideways, by their first line.
WIDE = """() => [...document.querySelectorAll('.jp-Notebook .jp-InputArea-editor .cm-scroller')]
  .filter(code => code.scrollWidth > code.clientWidth + 1)
  .map(code => code.textContent.slice(0, 60))"""


def save(page):
    "Save the notebook, and wait until JupyterLab has."
    menu(page, "File", "Save Notebook")
    page.wait_for_function("!document.querySelector('.lm-TabBar .lm-mod-current.jp-mod-dirty')")


def end_kernel(page):
    "Shut the kernel down, as the end of a day does; outputs stay."
    menu(page, "Kernel", "Shut Down Kernel")
    bar = page.locator("#jp-main-statusbar")
    bar.get_by_text("No Kernel").wait_for()


def git(course, *words):
    "What git prints in a copy of the course."
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words]
    return subprocess.run(command, cwd=course, capture_output=True, text=True, check=True).stdout


def nothing_hidden(page):
    "All outputs are in sight, every code cell fits its width."
    assert page.locator(HIDDEN).count() == 0
    assert page.locator(DEAD).count() == 0
    assert page.evaluate(WIDE) == []


def nothing_barred(page):
    "axe-core finds nothing in what the course draws."
    try:
        from axe_playwright_python.sync_playwright import Axe
    except ImportError:
        missing("axe-playwright-python is not installed")
    ours = [[name] for name in OURS if page.locator(name).count()]
    assert ours
    violations = Axe().run(page, {"include": ours}).response["violations"]
    assert [(rule["id"], rule["nodes"][0]["html"][:200]) for rule in violations] == []


def test_day_one_and_day_two(page):
    page.set_viewport_size({"width": 1280, "height": 800})
    open_lesson(page, FIRST)
    nothing_hidden(page)
    run_all(page)
    nothing_hidden(page)
    nothing_barred(page)
    figures = page.locator("img.course-live")
    assert figures.count() == 3
    save(page)
    for cell in json.loads((page.server.course / "nbs" / FIRST).read_text())["cells"]:
        assert len(cell.get("outputs", [])) <= 3, "".join(cell["source"])
    end_kernel(page)
    # The next day: the browser knows nothing of the day before.
    browser = page.context.browser
    next_day = browser.new_context(
        base_url=page.server.url, viewport={"width": 1280, "height": 800}
    )
    try:
        tab = next_day.new_page()
        tab.server = page.server
        open_lesson(tab, FIRST)
        nothing_hidden(tab)
        notes = tab.get_by_text("Run this cell for its controls.")
        assert notes.count() == 3
        for note in notes.all():
            picture = note.locator("xpath=../img")
            assert picture.evaluate("image => image.complete && image.naturalWidth > 400")
            assert picture.get_attribute("alt")
    finally:
        next_day.close()


def test_reading_leaves_no_trace(page):
    "Ten pages are opened, scrolled and closed; JupyterLab asks nothing and writes nothing."
    course = page.server.course
    shutil.copy(ROOT / ".gitignore", course)
    git(course, "init", "-q")
    git(course, "add", "-A")
    git(course, "commit", "-qm", "as it came")
    for name in ["index.ipynb", *READ]:
        visit(page, name)
        page.locator(".jp-Notebook .jp-Cell").first.wait_for()
        wait_until_idle(page)
        if name == "index.ipynb":
            nothing_barred(page)
        page.locator(".jp-Notebook").hover()
        page.mouse.wheel(0, 3000)
        menu(page, "File", "Close Tab")
        page.wait_for_function("!document.querySelector('.jp-Notebook')")
        assert page.locator(".jp-Dialog").count() == 0, name
    assert git(course, "status", "--porcelain") == ""
