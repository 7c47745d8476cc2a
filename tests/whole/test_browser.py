"""The lessons as a learner meets them: JupyterLab, started as `make lab` starts it, in a real browser, with no way out to the network.

They need Chromium and are skipped without it, or fail where the environment says BROWSER_TESTS=required."""

import importlib.util
import json
import os
import re
import secrets
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import nbformat
import pytest
from shared import ROOT, closed_port, copy_course

from publish import frames

pytestmark = pytest.mark.browser

RUN_ALL = 600_000  # milliseconds that all cells of a lesson may take together
REDRAW = 2  # seconds until a moved control shows its picture
# Lessons with live figures, and the controls that must be there and change the picture. Others that are found are tried as well.
CONTROLS = {
    "01": {"rate", "epochs", "batch"},
    "03": {"optimizer", "rate", "momentum"},
    "04": {"peak rate", "warm-up", "lowest momentum"},
    "05": {"fish", "temperature", "right class"},
    "06": {"degree", "wd", "points"},
    "07": {"rows", "which row"},
    "08": {"title", "across", "up", "neighbours"},
    "11": {"model", "size", "batch", "accum", "precision", "optimizer"},
}
LESSONS = sorted(
    path.name for path in (ROOT / "nbs").glob("[0-9][0-9]_*.ipynb") if path.name[:2] in CONTROLS
)
HARMLESS = []  # patterns of console errors that JupyterLab makes by itself and no learner notices


@pytest.fixture
def server(tmp_path):
    "What `make lab` starts, for a copy of the course and a learner without any settings, data or network."
    course, own = tmp_path / "course", tmp_path / "jupyter"
    copy_course(course)
    shutil.copy(ROOT / "bootstrap.py", course)

    spec = importlib.util.spec_from_file_location("bootstrap", course / "bootstrap.py")
    bootstrap = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bootstrap)
    words = [
        "--no-browser",
        f"--port={closed_port()}",
        f"--IdentityProvider.token={secrets.token_hex(16)}",
        "--allow-root",
    ]
    if not Path(
        sys.prefix, "share/jupyter/lab/settings/overrides.json"
    ).exists():  # an environment that bootstrap.py did not make
        (own / "settings").mkdir(parents=True)
        (own / "settings" / "overrides.json").write_text(
            json.dumps(bootstrap.JUPYTERLAB_SETTINGS), encoding="utf-8"
        )
        words.append(f"--LabApp.app_settings_dir={own / 'settings'}")
    [[_, *command]] = bootstrap.command_lines("lab", words)

    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HELPERS_", "JUPYTER"))
    }
    env |= {
        f"JUPYTER_{kind.upper()}_DIR": str(own / kind) for kind in ("config", "data", "runtime")
    } | {"IPYTHONDIR": str(own / "ipython"), "PYTHONPATH": str(course)}
    env |= {
        name: f"http://127.0.0.1:{closed_port()}"
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
    }  # nobody listens there
    log = tmp_path / "jupyter.log"
    with open(log, "w") as file:
        process = subprocess.Popen(
            [sys.executable, *command], cwd=course, env=env, stdout=file, stderr=subprocess.STDOUT
        )
    try:
        said, latest = own / "runtime" / f"jpserver-{process.pid}.json", time.monotonic() + 120
        while not (said.exists() and said.read_text().endswith("}")):
            if process.poll() is not None or time.monotonic() > latest:
                pytest.fail(f"JupyterLab did not start: {' '.join(command)}\n{log.read_text()}")
            time.sleep(0.05)
        said = json.loads(said.read_text())
        folder = (course / "nbs").resolve().relative_to(Path(said["root_dir"]).resolve()).as_posix()
        yield SimpleNamespace(
            course=course,
            folder=folder,
            url=f"http://127.0.0.1:{said['port']}/",
            token=said["token"],
        )
    finally:
        process.terminate()  # JupyterLab then ends its kernels
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()


@pytest.fixture
def page(chromium, server, tmp_path):
    "A tab in a new browser profile. In the end: no error was reported in it, and no other machine was asked for anything."
    context = chromium.new_context(base_url=server.url, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(60_000)
    errors, elsewhere = [], []

    def visit(request):
        if urlsplit(request.url).hostname not in ("127.0.0.1", None):
            elsewhere.append(request.url)

    context.on(
        "console", lambda message: errors.append(message.text) if message.type == "error" else None
    )
    context.on("weberror", lambda error: errors.append(str(error.error)))
    context.on("request", visit)
    page = context.new_page()
    page.on("websocket", visit)
    page.server = server
    yield page
    page.screenshot(path=tmp_path / "at_the_end.png")  # to be looked at after a failure
    context.close()
    assert elsewhere == []
    assert [
        error for error in errors if not any(re.search(pattern, error) for pattern in HARMLESS)
    ] == []


def menu(page, name, entry):
    "Choose from JupyterLab's menus."
    page.locator(".lm-MenuBar-itemLabel").get_by_text(name, exact=True).click()
    page.locator(".lm-Menu-itemLabel").get_by_text(entry, exact=True).click()


def wait_until_idle(page):
    "Wait until the kernel has had nothing to do for a second. Not at the first sight: sliders that round their value when they appear send it to the kernel."
    page.evaluate("delete window.idleSince")
    page.wait_for_function("""() => {
        const idle = document.querySelector("#jp-main-statusbar")?.textContent.includes("| Idle")
        window.idleSince = idle ? window.idleSince ?? performance.now() : null
        return idle && performance.now() - window.idleSince > 1000
    }""")


def open_lesson(page, name):
    "Open a notebook; wait until all of its cells have come and its kernel is ready."
    cells = json.loads((page.server.course / "nbs" / name).read_text(encoding="utf-8"))["cells"]
    page.goto(
        f"lab/tree/{page.server.folder}/{name}?reset&token={page.server.token}"
    )  # no tabs of an earlier visit
    page.wait_for_function(
        f'document.querySelectorAll(".jp-Notebook .jp-Cell").length == {len(cells)}'
    )
    wait_until_idle(page)


def run_all(page):
    "Run all cells afresh. No cell may report an error, and no pop-up may lie over them."
    menu(page, "Edit", "Clear Outputs of All Cells")
    menu(page, "Run", "Run All Cells")
    prompts = page.locator(".jp-Notebook .jp-CodeCell .jp-InputPrompt")
    page.wait_for_function(
        r"""() => {
        const prompts = [...document.querySelectorAll(".jp-Notebook .jp-CodeCell .jp-InputPrompt")].map(prompt => prompt.textContent)
        return prompts.some(text => /\d/.test(text)) && !prompts.some(text => text.includes("*"))  // an error leaves the cells after it without a number
    }""",
        timeout=RUN_ALL,
    )
    wait_until_idle(page)
    texts = (
        page.locator(".jp-Notebook")
        .locator('[data-mime-type="application/vnd.jupyter.stderr"], .jupyter-widgets-error-widget')
        .all_text_contents()
    )
    assert [
        text for text in texts if re.search(r"^Traceback|^[\w.]*Error\b", text, re.MULTILINE)
    ] == []
    assert [text for text in prompts.all_text_contents() if not re.search(r"\d", text)] == []
    assert page.locator(".jp-Dialog, .Toastify__toast").all_text_contents() == []


def cell_with(page, source):
    "The code cell whose source contains a text."
    return page.locator(".jp-CodeCell", has=page.locator(".jp-InputArea-editor", has_text=source))


def type_and_run(page, cell, source):
    "Replace the source of a cell by typing, run it and wait until it has run; its output."
    from playwright.sync_api import expect

    prompt = cell.locator(".jp-InputPrompt")
    before = prompt.text_content()
    cell.locator(".cm-content").click()
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.type(source)
    page.keyboard.press("Shift+Enter")
    expect(prompt).not_to_have_text(before, timeout=60_000)
    expect(prompt).to_have_text(re.compile(r"\[\d+\]:"), timeout=60_000)
    return cell.locator(".jp-Cell-outputArea")


def redraw(page, figure, act):
    "Do something to a live figure; the seconds until its new picture is there, and whether that differs from the old one."
    image = figure.locator("img.course-live")
    picture = lambda: image.evaluate("image => fetch(image.src).then(answer => answer.text())")
    old, address, start = picture(), image.get_attribute("src"), time.perf_counter()
    act()
    page.wait_for_function(
        "([image, old]) => image.src != old && image.complete && image.naturalWidth",
        arg=[image.element_handle(), address],
        polling="raf",
    )
    return time.perf_counter() - start, picture() != old


def move_slider(page, figure, slider, key):
    "Move a slider with the keyboard; PageUp and PageDown move it by five steps, since one may be less than a pixel."
    slider.focus()
    return redraw(page, figure, lambda: page.keyboard.press(key))


def type_into(page, field, text):
    "Replace the text of a field and press Enter."
    field.fill(text)
    field.press("Enter")


def move_all(page, figure):
    "Try each control of a live figure, there and back; its description, and what `redraw` found for each try."
    for control in figure.locator(
        ".widget-slider, .widget-dropdown, .widget-toggle-buttons, .widget-text"
    ).all():
        slider, choice, buttons, field = (
            control.get_by_role("slider"),
            control.locator("select"),
            control.get_by_role("button").all(),
            control.locator("input[type=text]"),
        )
        if slider.count():
            now, least, most = [
                float(slider.get_attribute(f"aria-value{which}")) for which in ("now", "min", "max")
            ]
            there_and_back = (
                ("PageUp", "PageDown") if now < (least + most) / 2 else ("PageDown", "PageUp")
            )
            tries = [
                lambda key=key: move_slider(page, figure, slider, key) for key in there_and_back * 2
            ]
        elif choice.count():
            now, others = (
                choice.input_value(),
                choice.locator("option").evaluate_all(
                    "options => options.filter(it => !it.selected).map(it => it.value)"
                ),
            )
            tries = [
                lambda value=value: redraw(page, figure, lambda: choice.select_option(value))
                for value in [*others, now]
            ]
        elif "widget-text" in control.get_attribute("class"):
            tries = [
                lambda text=text: redraw(page, figure, lambda: type_into(page, field, text))
                for text in ("ar", "no such title", field.input_value())
            ]
        else:
            now = next(
                n
                for n, button in enumerate(buttons)
                if "mod-active" in button.get_attribute("class")
            )
            tries = [
                lambda button=button: redraw(page, figure, button.click)
                for button in [*buttons[:now], *buttons[now + 1 :], buttons[now]]
            ]
        yield control.locator(".widget-label").text_content(), [each() for each in tries]


def keep_only_the_figure(path):
    "Leave nothing of a notebook but what its live figure needs: that all of it runs is tried in test_single_files.py."
    sources = {}
    for cell, source in frames.needed(path):
        sources.setdefault(cell, []).append(source)
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if cell.id in sources]
    for cell in notebook.cells:
        cell.source = "\n".join(sources[cell.id])
    nbformat.write(notebook, path)


@pytest.mark.parametrize("lesson", LESSONS)
def test_controls_redraw_the_figure(page, lesson):
    path = page.server.course / "nbs" / lesson
    if path.stem in frames.GRID:  # the figures of the others need a data set
        keep_only_the_figure(path)
    open_lesson(page, lesson)
    run_all(page)
    effective = set()
    for figure in page.locator(".jp-OutputArea-output", has=page.locator("img.course-live")).all():
        for control, found in move_all(page, figure):
            print(
                f"{lesson}, {control}: {', '.join(f'{1000 * seconds:.0f} ms' for seconds, _ in found)}"
            )
            assert (
                statistics.median(seconds for seconds, _ in found) < REDRAW
            )  # one slow one may be another program's doing
            if any(changed for _, changed in found):
                effective.add(control)
    assert effective and effective >= CONTROLS[lesson[:2]]


def with_the_keyboard(page, question):
    "Answer a question of a quiz with the arrow keys; JupyterLab keeps its hands off them."
    from playwright.sync_api import expect

    active = page.locator(".jp-Notebook .jp-Cell.jp-mod-active")
    page.locator(".jp-CodeCell", has=question).locator(
        ".jp-InputPrompt"
    ).click()  # a cell selected, nothing edited: JupyterLab takes arrow keys for its own
    labels = question.locator("label")
    labels.nth(0).locator("input").focus()
    page.keyboard.press("Space")
    for n in range(labels.count()):
        expect(labels.nth(n).locator("input")).to_be_checked()
        expect(labels.nth(n)).to_have_css("outline-style", "solid")  # the focus is seen
        expect(question.locator(".Feedback")).to_have_text(
            labels.nth(n).get_attribute("data-feedback")
        )
        if n < labels.count() - 1:
            page.keyboard.press("ArrowDown")
    assert 'quiz("01")' in active.text_content()


def progress_on_the_front_page(page):
    "The front page counts what is solved without running anything, and its links open the lessons."
    from playwright.sync_api import expect

    page.goto(f"lab/tree/{page.server.folder}/index.ipynb?reset&token={page.server.token}")
    rows = page.locator(".jp-Notebook tbody tr")
    expect(rows).to_have_count(
        len(list((ROOT / "nbs").glob("[0-9][0-9]_*.ipynb"))), timeout=60_000
    )  # JupyterLab starts anew
    expect(rows.nth(0)).to_contain_text("1\u00a0of\u00a04\u00a0solved")
    assert rows.nth(1).text_content().split()[-2:] == [
        "100",
        "3",
    ]  # minutes, and exercises: none is solved
    page.locator(".jp-Notebook").get_by_role("link", name="Keeping weights small").click()
    expect(page.locator(".jp-Notebook h1").get_by_text("Keeping weights small")).to_be_visible()
    page.locator('[data-id="@jupyterlab/toc:plugin"], [title^="Table of Contents"]').first.click()
    cells = json.loads((ROOT / "nbs" / "08_weight_decay.ipynb").read_text(encoding="utf-8"))[
        "cells"
    ]
    titles = [
        (n, title)
        for n, cell in enumerate(cells, start=1)
        if cell["cell_type"] == "markdown"
        for title in re.findall(r"^#+ (.+)$", "".join(cell["source"]), re.M)
    ]
    expect(page.locator(".jp-TableOfContents .jp-tocItem")).to_have_count(len(titles))
    page.get_by_role("treeitem", name="Quiz").locator(".jp-tocItem-heading").click()
    expect(page.locator("#jp-main-statusbar")).to_contain_text(
        f"Cell {next(n for n, title in titles if title == 'Quiz')}/{len(cells)}"
    )


def test_exercises_and_quiz_answer_and_progress_stays(page):
    from playwright.sync_api import expect

    open_lesson(page, "01_gradient_descent.ipynb")
    run_all(page)

    answer = 'def update(a, b, x, y, lr): return a {0} lr*2*x*(a*x + b - y), b {0} lr*2*(a*x + b - y)\ncheck("01-update", update)'
    exercise, table = (
        cell_with(page, re.compile("check\\(.01-update")),
        cell_with(page, "progress()"),
    )
    assert "01-update: not yet" in exercise.locator(".jp-Cell-outputArea").text_content()
    assert "uphill" in type_and_run(page, exercise, answer.format("+")).text_content()
    assert "solved on" not in type_and_run(page, table, "progress()").text_content()
    assert "01-update: solved" in type_and_run(page, exercise, answer.format("-")).text_content()
    assert (
        "solved on"
        in type_and_run(page, table, "progress()")
        .locator("tr", has_text="01-update")
        .text_content()
    )

    first, second, *_ = json.loads((ROOT / "data" / "quiz" / "01.json").read_text(encoding="utf-8"))
    for asked, right in ((first, True), (second, False)):
        chosen = next(answer for answer in asked["answers"] if answer["correct"] == right)
        question = page.locator(".Quiz", has_text=asked["question"])
        question.get_by_text(chosen["answer"], exact=True).click()
        expect(question.locator(".Feedback")).to_have_text(
            f"{'Right.' if right else 'No.'} {chosen['feedback']}"
        )  # said in words, not by colour alone
        expect(question.locator(".Feedback")).to_have_class(
            "Feedback correct" if right else "Feedback incorrect"
        )

    with_the_keyboard(page, page.locator(".Quiz").nth(2))
    progress_on_the_front_page(page)
    open_lesson(page, "01_gradient_descent.ipynb")
    menu(page, "Kernel", "Restart Kernel and Clear Outputs of All Cells…")
    page.locator(".jp-Dialog button.jp-mod-accept").click()
    page.wait_for_function(
        'document.querySelectorAll(".jp-Notebook .jp-OutputArea-output").length == 0'
    )
    wait_until_idle(page)
    again = type_and_run(page, table, "from helpers.course.exercises import progress; progress()")
    assert (
        table.locator(".jp-InputPrompt").text_content() == "[1]:"
    )  # the first cell of a new kernel
    assert "solved on" in again.locator("tr", has_text="01-update").text_content()
