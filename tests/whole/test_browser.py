"""The lessons as a learner meets them: JupyterLab, as `make lab` starts it, in a real browser.

There is no way out to the network. The tests need Chromium and are skipped without it, or fail
where the environment says BROWSER_TESTS=required."""

import json
import re
import statistics
import time
from functools import partial

import nbformat
import pytest
from learners_lab import cell_with, menu, open_lesson, run_all, type_and_run, visit, wait_until_idle
from shared import LESSONS, NBS, ROOT, read

from helpers.course.front import lessons
from publish import frames
from publish.live import needed

pytestmark = pytest.mark.browser

REDRAW = 2  # seconds until a moved control shows its picture
# Lessons with live figures, and the controls that must be there and change the picture. Others that
# are found are tried as well.
CONTROLS = {
    "01": {"slope a", "intercept b", "moves made", "learning rate", "epochs", "batch"},
    "02": {"first hinge", "first slope", "second hinge", "second slope", "updates / 100"},
    "03": {"learning rate", "random start"},
    "04": {"rule", "learning rate", "momentum", "epochs"},
    "05": {"rule", "multiple"},
    "06": {"peak rate", "warm-up", "lowest momentum"},
    "07": {"fish", "temperature", "right class"},
    "08": {"degree", "wd", "points"},
    "09": {"rows", "which row"},
    "10": {"λ", "dots are"},
    "11": {"title", "across", "up", "neighbours", "colour"},
    "12": {"only net", "only rival"},
    "14": {"model", "size", "batch", "parts", "precision", "optimizer"},
}
LIVE = [path.name for path in LESSONS if path.name[:2] in CONTROLS]

# --- live figures

# A picture's address or a page's HTML: it changes when the figure is drawn anew.
NOW = "show => show.src ?? show.innerHTML"
NEW_PICTURE = """([show, old]) => (show.src ?? show.innerHTML) != old
  && (!show.src || show.complete && show.naturalWidth)"""


def picture_of(show):
    "What a figure shows, as text."
    return show.evaluate(
        "show => show.src ? fetch(show.src).then(answer => answer.text()) : show.innerHTML"
    )


def redraw(page, figure, act):
    "Do something to a live figure; the seconds until its new picture, and whether it differs."
    show = figure.locator(".course-live")
    old = picture_of(show)
    before = show.evaluate(NOW)
    start = time.perf_counter()
    act()
    arguments = [show.element_handle(), before]
    page.wait_for_function(NEW_PICTURE, arg=arguments, polling="raf")
    return time.perf_counter() - start, picture_of(show) != old


def slider_acts(page, slider):
    "PageUp and PageDown move a slider by five steps: one may be less than a pixel."
    now, least, most = [
        float(slider.get_attribute(f"aria-value{which}")) for which in ("now", "min", "max")
    ]
    keys = ["PageUp", "PageDown"] if now < (least + most) / 2 else ["PageDown", "PageUp"]

    def press(key):
        slider.focus()
        page.keyboard.press(key)

    return [partial(press, key) for key in keys * 2]


def menu_acts(choice):
    "Each other entry of a menu, then the one that was chosen."
    now = choice.input_value()
    values = choice.locator("option").evaluate_all("options => options.map(it => it.value)")
    others = [value for value in values if value != now]
    return [partial(choice.select_option, value) for value in [*others, now]]


def text_acts(field, suggestions):
    "The last suggestion, nonsense, and what was there."

    def write(text):
        field.fill(text)
        field.press("Enter")

    texts = (suggestions[-1], "no such title", field.input_value())
    return [partial(write, text) for text in texts]


def button_acts(buttons):
    "Each other button, then the one that was pressed."
    pressed = [button for button in buttons if "mod-active" in button.get_attribute("class")]
    others = [button for button in buttons if button not in pressed]
    return [button.click for button in others + pressed]


def acts_of(page, control):
    "What can be done with a control of a live figure, there and back."
    slider = control.get_by_role("slider")
    choice = control.locator("select")
    if slider.count():
        return slider_acts(page, slider)
    if choice.count():
        return menu_acts(choice)
    if "widget-text" in control.get_attribute("class"):
        options = control.locator("datalist option")
        suggestions = options.evaluate_all("options => options.map(it => it.value)")
        return text_acts(control.locator("input[type=text]"), suggestions)
    return button_acts(control.get_by_role("button").all())


def keep_only_the_figure(path):
    "Leave nothing of a notebook but what its live figure needs."
    sources = {}
    for statement in needed(path):
        sources.setdefault(statement.cell, []).append(statement.source)
    notebook = read(path)
    notebook.cells = [cell for cell in notebook.cells if cell.id in sources]
    for cell in notebook.cells:
        cell.source = "\n".join(sources[cell.id])
        cell.metadata.pop("jupyter", None)  # where all inputs are folded, no prompt is seen
    nbformat.write(notebook, path)


WIDGETS = ".widget-slider, .widget-dropdown, .widget-toggle-buttons, .widget-text"
ROOM = "document.querySelector('.jp-WindowedPanel-outer').clientHeight"


def is_disabled(control):
    return control.locator("[disabled]").count() > 0


def check_size(page, figure):
    "Picture and controls are seen together in a small window, and a slider's track is long."
    for track in figure.locator(".noUi-target").all():
        assert track.bounding_box()["width"] >= 300
    box = figure.bounding_box()
    room = page.evaluate(ROOM)
    print(f"{box['width']:.0f} x {box['height']:.0f} pixels, of {room} in height")
    assert box["height"] <= room
    assert figure.evaluate("figure => figure.scrollWidth <= figure.clientWidth")


def check_play(page, figure):
    "A play button moves the picture until it is pressed again."
    for play in figure.locator(".widget-play").all():
        button = play.locator("button").first
        redraw(page, figure, button.click)
        redraw(page, figure, lambda: None)
        button.click()
        wait_until_idle(page)


@pytest.mark.parametrize("lesson", LIVE)
def test_controls_redraw_the_figure(page, lesson):
    "That the whole lesson runs is tried in test_single_files.py."
    path = page.server.course / "nbs" / lesson
    if path.stem in frames.GRID:  # the figures of the others need a data set
        keep_only_the_figure(path)
    page.set_viewport_size({"width": 1280, "height": 800})
    open_lesson(page, lesson)
    run_all(page)
    effective = set()
    figures = page.locator(".course-figure")
    for figure in figures.all():
        check_size(page, figure)
        for control in figure.locator(WIDGETS).all():
            name = control.locator(".widget-label").text_content()
            if is_disabled(control):
                continue
            tries = [redraw(page, figure, act) for act in acts_of(page, control)]
            times = [seconds for seconds, _ in tries]
            print(f"{lesson}, {name}:", *(f"{1000 * seconds:.0f} ms" for seconds in times))
            # One slow one may be another program's doing.
            assert statistics.median(times) < REDRAW
            if any(differs for _, differs in tries):
                effective.add(name)
        check_play(page, figure)
    assert effective >= CONTROLS[lesson[:2]]


# --- exercises, quiz and front page


def answer_with_keyboard(page, question):
    "Answer a question of a quiz with the arrow keys; JupyterLab keeps its hands off them."
    from playwright.sync_api import expect

    active = page.locator(".jp-Notebook .jp-Cell.jp-mod-active")
    # A cell selected, nothing edited: JupyterLab takes arrow keys for its own.
    page.locator(".jp-CodeCell", has=question).locator(".jp-InputPrompt").click()
    labels = question.locator("label")
    labels.nth(0).locator("input").focus()
    page.keyboard.press("Space")
    for n in range(labels.count()):
        label = labels.nth(n)
        expect(label.locator("input")).to_be_checked()
        expect(label).to_have_css("outline-style", "solid")  # the focus is seen
        feedback = label.get_attribute("data-feedback")
        expect(question.locator(".Feedback")).to_have_text(feedback)
        if n < labels.count() - 1:
            page.keyboard.press("ArrowDown")
    assert 'quiz("01")' in active.text_content()


def answer_with_mouse(page, asked, right):
    "A right or a wrong answer; the feedback says which in words, not by colour alone."
    from playwright.sync_api import expect

    choice = next(choice for choice in asked["answers"] if choice["correct"] == right)
    question = page.locator(".Quiz", has_text=asked["question"])
    question.get_by_text(choice["answer"], exact=True).click()
    feedback = question.locator(".Feedback")
    expect(feedback).to_have_text(f"{'Right.' if right else 'No.'} {choice['feedback']}")
    expect(feedback).to_have_class("Feedback correct" if right else "Feedback incorrect")


def solve_elsewhere(course, name):
    "An exercise is solved in another window."
    progress = course / "data" / "progress.json"
    days = json.loads(progress.read_text(encoding="utf-8"))
    progress.write_text(json.dumps({**days, name: "2026-01-31"}), encoding="utf-8")


def check_front_page(page):
    """The front page counts what is solved without running anything; its links open the lessons.

    Who comes back to it finds it up to date; and nobody is asked to save it."""
    from playwright.sync_api import expect

    first, _, third, *_ = lessons()
    visit(page, "index.ipynb")
    tiles = page.locator(".jp-Notebook .course-tiles > li")
    expect(tiles).to_have_count(len(LESSONS), timeout=60_000)  # JupyterLab starts anew
    expect(tiles.nth(0)).to_contain_text(f"1 of {len(first.exercises)} solved")
    expect(tiles.nth(2)).to_contain_text(f"0 of {len(third.exercises)} solved")
    headings = page.locator(".jp-Notebook h1")
    tabs = page.locator(".lm-TabBar-tab")
    tiles.get_by_role("link", name="Keeping weights small").click()
    expect(headings.get_by_text("Keeping weights small")).to_be_visible(timeout=60_000)
    solve_elsewhere(page.server.course, third.exercises[0])
    tabs.get_by_text("index.ipynb").click()
    expect(tiles.nth(2)).to_contain_text(f"1 of {len(third.exercises)} solved", timeout=60_000)
    assert page.locator(".jp-mod-dirty").count() == 0
    page.get_by_role("link", name="Go on with lesson 01").click()
    expect(headings.get_by_text(first.title)).to_be_visible(timeout=60_000)
    tabs.get_by_text("08_weight").click()
    expect(headings.get_by_text("Keeping weights small")).to_be_visible(timeout=60_000)


def check_table_of_contents(page, path):
    "JupyterLab's table of contents lists every heading of a lesson, and leads there."
    from playwright.sync_api import expect

    titles = []
    cells = read(path).cells
    for number, cell in enumerate(cells, start=1):
        if cell.cell_type == "markdown":
            for title in re.findall(r"^#+ (.+)$", cell.source, re.MULTILINE):
                titles.append((number, title))
    page.locator('[data-id="@jupyterlab/toc:plugin"], [title^="Table of Contents"]').first.click()
    expect(page.locator(".jp-TableOfContents .jp-tocItem")).to_have_count(len(titles))
    page.get_by_role("treeitem", name="Quiz").locator(".jp-tocItem-heading").click()
    [number] = [number for number, title in titles if title == "Quiz"]
    bar = page.locator("#jp-main-statusbar")
    expect(bar).to_contain_text(f"Cell {number}/{len(cells)}")


# On one line, since JupyterLab indents a line by itself.
UPDATE = (
    "def update(a, b, x, y, lr): "
    "return a {sign} lr*2*x*(a*x + b - y), b {sign} lr*2*(a*x + b - y)\n"
    'check("01-update", update)'
)


def solve_first_exercise(page):
    "A wrong answer gets a hint; the right one is remembered."
    exercise = cell_with(page, re.compile("check\\(.01-update"))
    table = cell_with(page, "progress()")
    assert "Not yet 01-update" in exercise.locator(".jp-Cell-outputArea").text_content()
    hint = type_and_run(page, exercise, UPDATE.format(sign="+"))
    assert "uphill" in hint.text_content()
    assert "solved on" not in type_and_run(page, table, "progress()").text_content()
    verdict = type_and_run(page, exercise, UPDATE.format(sign="-"))
    assert "Solved 01-update" in verdict.text_content()
    row = type_and_run(page, table, "progress()").locator("tr", has_text="01-update")
    assert "solved on" in row.text_content()


def restart(page):
    "Begin with a new kernel and without outputs."
    menu(page, "Kernel", "Restart Kernel and Clear Outputs of All Cells…")
    page.locator(".jp-Dialog button.jp-mod-accept").click()
    page.wait_for_function(
        "document.querySelectorAll('.jp-Notebook .jp-OutputArea-output').length == 0"
    )
    wait_until_idle(page)


def test_exercises_and_quiz_answer_and_progress_stays(page):
    lesson = LESSONS[0].name
    open_lesson(page, lesson)
    run_all(page)
    solve_first_exercise(page)
    file = ROOT / "data" / "quiz" / "01.json"
    first, second, *_ = json.loads(file.read_text(encoding="utf-8"))
    answer_with_mouse(page, first, right=True)
    answer_with_mouse(page, second, right=False)
    answer_with_keyboard(page, page.locator(".Quiz").nth(2))
    count = page.locator(".Quiz").count()
    assert page.locator(".QuizScore").text_content() == f"3 of {count} answered."
    check_front_page(page)
    check_table_of_contents(page, NBS / "08_weight_decay.ipynb")
    open_lesson(page, lesson)
    restart(page)
    table = cell_with(page, "progress()")
    again = type_and_run(page, table, "from helpers.course.exercises import progress; progress()")
    # The first cell of a new kernel.
    assert table.locator(".jp-InputPrompt").text_content() == "[1]:"
    assert "solved on" in again.locator("tr", has_text="01-update").text_content()
