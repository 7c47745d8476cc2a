"""All stored frames, as they are drawn for the site; and the player, in a real browser, with the network off.

The browser's tests need Chromium and are skipped without it, or fail where the environment says BROWSER_TESTS=required."""

import base64
import io
import json
import math

import nbformat
import numpy as np
import pytest
from PIL import Image
from shared import RACE, ROOT, SOFTMAX, missing, pixels

from publish import frames
from publish.player import player

pytestmark = pytest.mark.xdist_group(
    "site"
)  # drawn once, for all tests of the frames and of the site


@pytest.mark.parametrize("path", [RACE, SOFTMAX], ids=lambda path: path.stem)
def test_frames(path):
    "As many as there are combinations, all of one size, light enough for a page, and hardly changed by the palette."
    kept = frames.stored(path)
    places = [len(control["labels"]) for control in kept["controls"]]
    assert len(kept["frames"]) == math.prod(places) >= 100
    assert {number for number, _ in kept["frames"]} == set(range(len(kept["pictures"])))
    pictures = [Image.open(io.BytesIO(base64.b64decode(picture))) for picture in kept["pictures"]]
    assert {picture.size for picture in pictures} == {tuple(kept["size"])} and {
        picture.format for picture in pictures
    } == {"WEBP"}
    assert len(player(kept)) < 1_500_000
    found = frames.recorded(path)
    start = {name: control.value for name, control in found["controls"].items()}
    place = 0
    for control in kept["controls"]:
        place = place * len(control["labels"]) + control["start"]
    number, said = kept["frames"][place]
    from helpers.course.figures import frame

    assert (
        np.abs(
            pixels(base64.b64decode(kept["pictures"][number]))
            - pixels(frame(found["draw"], start, **found["figure"]))
        ).mean()
        < 2
    )
    assert {
        "04_momentum_adam": "After 5 epochs: a = 2.",
        "07_cross_entropy": "right class: fish; loss = -log 0.899",
    }[path.stem] in said


def test_equal_pictures_are_kept_once():
    "Adagrad has no momentum, so its rows of frames are the same for each."
    kept = frames.stored(RACE)
    optimizer, rate, momentum = [control["labels"] for control in kept["controls"]]
    numbers = np.array([number for number, _ in kept["frames"]]).reshape(
        len(optimizer), len(rate), len(momentum)
    )
    adagrad, adam = numbers[optimizer.index("Adagrad")], numbers[optimizer.index("Adam")]
    assert (adagrad == adagrad[:, :1]).all() and len(np.unique(adam[rate.index("1.0e+00")])) == len(
        momentum
    )
    assert len(np.unique(adagrad[-4:])) == 4, "pictures that differ stay apart"


# --- in nbdev


def processed(path):
    from nbdev.process import NBProcessor

    processor = NBProcessor(path, procs=[frames.frames_proc])
    processor.process()
    return processor.nb


def test_player_takes_the_place_of_the_widget():
    before, after = nbformat.read(SOFTMAX, as_version=4), processed(SOFTMAX)
    assert "widgets" in before.metadata and "widgets" not in after.metadata
    for old, new in zip(before.cells, after.cells):
        if "\nlive(" in old.get("source", ""):
            assert (
                new.outputs[0]["data"]["text/html"] == player(frames.stored(SOFTMAX))
                and len(new.outputs) == 1
            )
        else:
            assert json.dumps(old.get("outputs")) == json.dumps(new.get("outputs"))
    other = ROOT / "nbs" / "03_mnist_sgd.ipynb"
    assert json.dumps([cell.get("outputs") for cell in processed(other).cells]) == json.dumps(
        [cell.get("outputs") for cell in nbformat.read(other, as_version=4).cells]
    )


# --- in a browser


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    "A page with two players."
    path = tmp_path_factory.mktemp("page") / "two.html"
    both = "".join(player(frames.stored(lesson)) for lesson in (RACE, SOFTMAX))
    path.write_text(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Two players</title></head><body><main><h1>Two players</h1>{both}</main></body></html>',
        encoding="utf-8",
    )
    return path


@pytest.fixture
def page(chromium, file):
    "That page, with the network off. In the end: no error, and nothing was asked for but the page."
    context = chromium.new_context(offline=True, viewport={"width": 1000, "height": 900})
    errors, asked = [], []
    context.on(
        "console", lambda message: errors.append(message.text) if message.type == "error" else None
    )
    context.on("weberror", lambda error: errors.append(str(error.error)))
    page = context.new_page()
    page.on(
        "request",
        lambda request: asked.append(request.url) if not request.url.startswith("data:") else None,
    )
    page.goto(file.as_uri())
    yield page
    context.close()
    assert errors == [] and asked == [file.as_uri()]


def state(page, number):
    "Picture, alt text and caption of a player."
    box = page.locator(".course-frames").nth(number)
    return (
        box.locator("img").get_attribute("src"),
        box.locator("img").get_attribute("alt"),
        box.locator("figcaption").inner_text(),
    )


def test_keyboard_moves_the_frames(page):
    first, other = state(page, 0), state(page, 1)
    assert "optimizer Adam, rate 1.0e+00, momentum 0.90." in first[1] and first[2].startswith(
        "After 5 epochs"
    )
    rate = page.get_by_role("slider", name="rate", exact=True)
    assert rate.get_attribute("aria-valuetext") == "1.0e+00"
    rate.focus()
    page.keyboard.press("ArrowLeft")
    second = state(page, 0)
    assert (
        all(a != b for a, b in zip(first, second))
        and rate.get_attribute("aria-valuetext") == "3.0e-01"
        and "rate 3.0e-01" in second[1]
    )
    assert page.locator(".course-frames").nth(0).locator("output").first.inner_text() == "3.0e-01"
    page.keyboard.press("ArrowRight")
    assert state(page, 0) == first
    page.get_by_role("radio", name="Adam", exact=True).focus()
    page.keyboard.press("ArrowLeft")
    assert "optimizer RMSProp" in state(page, 0)[1] and state(page, 0)[0] != first[0]
    assert state(page, 1) == other, "the second player has moved with the first"


def test_select_moves_the_frames(page):
    first, other = state(page, 1), state(page, 0)
    page.get_by_label("right class").select_option("cat")
    assert (
        state(page, 1)[0] != first[0]
        and state(page, 1)[2] == "right class: cat; loss = -log 0.009 = 4.67"
    )
    assert state(page, 0) == other
    page.locator(".course-frames form").nth(1).evaluate(
        "form => form.requestSubmit()"
    )  # as some browsers do at the Enter key; the page must not be loaded anew
    page.wait_for_timeout(300)
    assert "right class: cat" in state(page, 1)[2]


def test_every_control_has_a_label_and_every_frame_is_shown(page):
    "Each position shows the frame that was drawn for it."
    for number, lesson in enumerate((RACE, SOFTMAX)):
        kept, box = frames.stored(lesson), page.locator(".course-frames").nth(number)
        for control in kept["controls"]:
            assert (
                box.get_by_role(
                    "group"
                    if control["kind"] == "radio"
                    else "slider"
                    if control["kind"] == "range"
                    else "combobox",
                    name=control["label"],
                    exact=True,
                ).count()
                == 1
            )
        shown = box.evaluate("""box => {
            const parts = [...box.querySelectorAll("[data-control]")], sizes = parts.map(part => part.matches("fieldset") ? part.querySelectorAll("input").length : part.matches("select") ? part.length : Number(part.max) + 1)
            const put = (part, n) => part.matches("fieldset") ? part.querySelectorAll("input")[n].checked = true : part.matches("select") ? part.selectedIndex = n : part.value = n
            const seen = []
            for (let place = 0; place < sizes.reduce((a, b) => a*b); place++) {
                let rest = place
                for (let k = parts.length - 1; k >= 0; k--) { put(parts[k], rest % sizes[k]); rest = Math.floor(rest/sizes[k]) }
                parts[0].dispatchEvent(new Event("input", {bubbles: true}))
                seen.push([box.querySelector("img").src.split(",")[1], box.querySelector("figcaption").textContent])
            }
            return seen
        }""")
        assert shown == [[kept["pictures"][n], said] for n, said in kept["frames"]]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_accessible(page, dark):
    "axe-core finds nothing, on a light page and on a dark one; and nothing sticks out of a phone."
    try:
        from axe_playwright_python.sync_playwright import Axe
    except ImportError:
        missing("axe-playwright-python is not installed")
    if dark:
        page.add_style_tag(content="body {background: #121212; color: #ced6dd}")
    page.set_viewport_size({"width": 380, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 380
    found = Axe().run(page).response
    assert [(rule["id"], rule["nodes"][0]["html"][:100]) for rule in found["violations"]] == []


def test_without_script_the_first_frame_is_there(chromium, file):
    context = chromium.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto(file.as_uri())
    for n in range(2):
        assert page.locator(".course-frames img").nth(n).is_visible() and page.locator(
            ".course-frames img"
        ).nth(n).get_attribute("alt")
        assert not page.locator(".course-frames form").nth(n).is_visible()
    context.close()
