"""Guesses on the site: forms in a page, offline, in a real browser.

They need Chromium and are skipped without it, or fail where the environment says
BROWSER_TESTS=required."""

import pytest
from guesses import DIFFERENCES, READ, UNREADABLE
from shared import missing

from helpers.course.guess import Guess, write_number
from publish.guesses import with_form

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Guesses</title>
</head>
<body><main><h1>Guesses</h1>{cards}</main></body>
</html>"""
STEPS = Guess("How many <steps>, with `lr`?", [], "steps")
ROW = Guess("Which row?", ["the first", "<b>the second</b>"], "")


@pytest.fixture
def write(tmp_path):
    "Write a page with a question and its answer for each pair (guess, truth); its address."

    def write(*pairs):
        cards = [with_form(guess._stored()[0]) for guess, _ in pairs]
        cards += [with_form(guess._revealed(truth, "And `why`.")[0]) for guess, truth in pairs]
        file = tmp_path / "guesses.html"
        file.write_text(PAGE.format(cards="".join(cards)), encoding="utf-8")
        return file.as_uri()

    return write


@pytest.fixture
def page(chromium):
    "A tab with the network off. In the end: no error, and only the page was asked for."
    context = chromium.new_context(offline=True)
    context.set_default_timeout(10_000)
    errors = []
    addresses = set()
    context.on("console", lambda message: errors.append(message.text))
    context.on("weberror", lambda error: errors.append(str(error.error)))
    context.on("request", lambda request: addresses.add(request.url))
    page = context.new_page()
    yield page
    url = page.url
    context.close()
    assert errors == [] and addresses == {url}


def result(page, number=0):
    "What stands in a card of an answer."
    return page.locator("[data-reveal]").nth(number).inner_text().split("\n\n")


HIDDEN = ["Guess first, above.", "Show without a guess"]


def reload_until(page, shown):
    "Load again until a card shows this: Chromium stores in the background what a page keeps."
    for _ in range(20):
        page.reload()
        if result(page)[2:] == shown:
            return
        page.wait_for_timeout(250)


def test_a_number(page, write):
    "By keyboard; it stays when the page is loaded again."
    page.goto(write((STEPS, 11_700)))
    assert result(page) == ["Guess and truth", "How many <steps>, with lr?", *HIDDEN]
    page.get_by_role("textbox", name="Your guess, in steps:").focus()
    page.keyboard.type("about 500")
    page.keyboard.press("Enter")
    words = "You said 500 steps; it is 11,700 steps: about 23 times your guess."
    shown = ["Your guess\n500 steps\nIt is\n11,700 steps", words, "And why."]
    assert result(page)[2:] == shown
    assert page.get_by_role("status").inner_text() == "Your guess: 500 steps. Now read on."
    reload_until(page, shown)
    assert result(page)[2:] == shown
    assert page.get_by_role("textbox").input_value() == "about 500"


def test_choices(page, write):
    "By keyboard; of two questions on a page only the one that was answered is shown."
    page.goto(write((STEPS, 3), (ROW, "<b>the second</b>")))
    page.get_by_role("group", name="Which row?").get_by_role("button").nth(0).focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    pressed = page.locator("[aria-pressed=true]")
    assert pressed.all_inner_texts() == ["✓ <b>the second</b>"]
    assert result(page, 1)[-2] == "You said <b>the second</b>, and so it is."
    page.get_by_role("button", name="the first").click()
    assert pressed.all_inner_texts() == ["✓ the first"]
    assert result(page, 1)[-2] == "You said the first; it is <b>the second</b>."
    assert result(page)[-2:] == HIDDEN


def test_without_a_guess(page, write):
    page.goto(write((STEPS, 3), (ROW, "the first")))
    page.get_by_role("button", name="Show without a guess").nth(1).click()
    assert result(page, 1)[-2:] == ["No guess this time; it is the first.", "And why."]
    assert result(page)[-2:] == HIDDEN


def test_numbers_are_read_as_in_the_notebook(page, write):
    page.goto(write((STEPS, 3)))
    field = page.get_by_role("textbox")
    for text, number in READ.items():
        field.fill(text)
        field.press("Enter")
        said = page.get_by_role("status").inner_text()
        assert said == f"Your guess: {write_number(number, 'steps')}. Now read on.", text
    for text in UNREADABLE:
        field.fill(text)
        field.press("Enter")
        said = page.get_by_role("status").inner_text()
        assert said.startswith("No single number" if text else "Type a number first"), text


def test_differences_are_said_as_in_the_notebook(page, write):
    truths = [truth for _, truth, _ in DIFFERENCES] + [0.12345, 1e-5, 2e15]
    guesses = [Guess(f"Number {n}?", [], "%") for n in range(len(truths))]
    page.goto(write(*zip(guesses, truths)))
    fields = page.get_by_role("textbox")
    said = [said for said, _, _ in DIFFERENCES] + [0.1, 3e-5, 0.01]
    for n, guess in enumerate(guesses):
        guess.said = str(said[n])
        fields.nth(n).fill(guess.said)
        fields.nth(n).press("Enter")
        _, text = guess._revealed(truths[n], "")
        assert result(page, n)[-2] == text


def test_storage_may_be_forbidden(page, write):
    forbid = "Object.defineProperty(window, 'localStorage', {get() { throw new Error('no'); }})"
    page.add_init_script(forbid)
    page.goto(write((ROW, "the first")))
    page.get_by_role("button", name="the first").click()
    assert result(page)[-2] == "You said the first, and so it is."


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_accessible(page, write, theme):
    "axe-core finds nothing, before and after; and nothing sticks out of a phone."
    try:
        from axe_playwright_python.sync_playwright import Axe
    except ImportError:
        missing("axe-playwright-python is not installed")
    page.set_viewport_size({"width": 380, "height": 800})
    page.goto(write((STEPS, 11_700), (ROW, "the first")))
    page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
    if theme == "dark":
        page.add_style_tag(content="body {background: #121212; color: #ced6dd}")

    def violations():
        found = Axe().run(page).response["violations"]
        return [(rule["id"], rule["nodes"][0]["html"][:100]) for rule in found]

    assert violations() == []
    page.get_by_role("textbox").fill("3")
    page.get_by_role("textbox").press("Enter")
    page.get_by_role("button", name="the first").click()
    assert violations() == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 380


def test_without_script_question_and_answer_can_be_read(chromium, write):
    context = chromium.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto(write((ROW, "the first")))
    text = page.locator("main").inner_text()
    assert "the first\n<b>the second</b>" in text
    assert "No guess this time; it is the first." in text
    context.close()
