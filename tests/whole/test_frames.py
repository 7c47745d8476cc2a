"""All stored frames, as they are drawn for the site; and the player, in a real browser, offline.

The browser's tests need Chromium and are skipped without it, or fail where the environment says
BROWSER_TESTS=required."""

import base64
import io
import json
import math

import numpy as np
import pytest
from PIL import Image
from shared import NBS, RACE, SOFTMAX, missing, pixels, read, stem

from helpers.course.figures import frame
from publish import frames
from publish.live import has_live, recorded
from publish.player import first_frame, player

CAPTIONS = {
    RACE: "After 5 epochs: a = 2.",
    SOFTMAX: "right: fish, loss 0.11",
}


@pytest.mark.parametrize("path", CAPTIONS, ids=stem)
def test_frames(path):
    "As many as there are combinations, all of one size, light enough for a page."
    [stored] = frames.stored(path)
    sizes = [len(control["labels"]) for control in stored["controls"]]
    assert len(stored["frames"]) == math.prod(sizes) >= 100
    numbers = {number for number, _ in stored["frames"]}
    assert numbers == set(range(len(stored["pictures"])))
    for data in stored["pictures"]:
        picture = Image.open(io.BytesIO(base64.b64decode(data)))
        assert (picture.format, picture.size) == ("WEBP", tuple(stored["size"]))
    assert len(player(stored)) < 1_500_000


@pytest.mark.parametrize("path", CAPTIONS, ids=stem)
def test_palette_changes_little(path):
    "The first frame, beside what the lesson's own function draws."
    [stored] = frames.stored(path)
    number, caption, _ = first_frame(stored)
    [figure] = recorded(path)
    drawn = pixels(frame(figure.draw, figure.start(), **figure.size))
    kept = pixels(base64.b64decode(stored["pictures"][number]))
    assert np.abs(kept - drawn).mean() < 2
    assert CAPTIONS[path] in caption


def test_equal_pictures_are_kept_once():
    "Adagrad has no momentum, so its rows of frames are the same for each."
    [stored] = frames.stored(RACE)
    optimizers, rates, momenta = [control["labels"] for control in stored["controls"]]
    numbers = np.array([number for number, _ in stored["frames"]])
    numbers = numbers.reshape(len(optimizers), len(rates), len(momenta))
    adagrad = numbers[optimizers.index("Adagrad")]
    assert (adagrad == adagrad[:, :1]).all()
    assert len(np.unique(adagrad[-4:])) == 4, "pictures that differ stay apart"
    adam = numbers[optimizers.index("Adam"), rates.index("1.0e+00")]
    assert len(np.unique(adam)) == len(momenta)


# --- in nbdev


def processed(path):
    from nbdev.process import NBProcessor

    processor = NBProcessor(path, procs=[frames.frames_proc])
    processor.process()
    return processor.nb


def outputs(cell):
    return json.dumps(cell.get("outputs"))


def test_player_takes_the_place_of_the_picture():
    before = read(SOFTMAX)
    after = processed(SOFTMAX)
    for old, new in zip(before.cells, after.cells):
        if old.cell_type == "code" and has_live(old.source):
            [output] = new.outputs
            assert output["data"]["text/html"] == player(frames.stored(SOFTMAX)[0])
        else:
            assert outputs(old) == outputs(new)


@pytest.mark.parametrize("name", ["05_optimizers", "11_recommendations"])
def test_other_lessons_stay_as_they_are(name):
    "The second one has a live figure that needs a data set: its picture stands on the site."
    path = NBS / f"{name}.ipynb"
    for old, new in zip(read(path).cells, processed(path).cells):
        assert outputs(old) == outputs(new)


# --- in a browser

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Two players</title>
</head>
<body><main><h1>Two players</h1>{players}</main></body>
</html>"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    "A page with two players."
    path = tmp_path_factory.mktemp("page") / "two.html"
    players = "".join(player(frames.stored(lesson)[0]) for lesson in (RACE, SOFTMAX))
    path.write_text(PAGE.format(players=players), encoding="utf-8")
    return path


@pytest.fixture
def page(chromium, file):
    "That page, with the network off. In the end: no error, and only the page was asked for."
    context = chromium.new_context(offline=True, viewport={"width": 1000, "height": 900})
    errors = []
    requests = []

    def note_message(message):
        if message.type == "error":
            errors.append(message.text)

    def note_request(request):
        if not request.url.startswith("data:"):
            requests.append(request.url)

    context.on("console", note_message)
    context.on("weberror", lambda error: errors.append(str(error.error)))
    page = context.new_page()
    page.on("request", note_request)
    page.goto(file.as_uri())
    yield page
    context.close()
    assert errors == [] and requests == [file.as_uri()]


def state(page, number):
    "Picture, alt text and caption of a player."
    box = page.locator(".course-frames").nth(number)
    image = box.locator("img")
    caption = box.locator("figcaption").inner_text()
    return image.get_attribute("src"), image.get_attribute("alt"), caption


def test_keyboard_moves_a_slider(page):
    first = state(page, 0)
    _, alt, caption = first
    assert "rule Adam, learning rate 1.0e+00, momentum 0.90." in alt
    assert caption.startswith("After 5 epochs")
    rate = page.get_by_role("slider", name="learning rate", exact=True)
    assert rate.get_attribute("aria-valuetext") == "1.0e+00"
    rate.focus()
    page.keyboard.press("ArrowLeft")
    second = state(page, 0)
    assert all(before != after for before, after in zip(first, second))
    assert rate.get_attribute("aria-valuetext") == "3.0e-01"
    assert "learning rate 3.0e-01" in second[1]
    readout = page.locator(".course-frames").nth(0).locator("output").first
    assert readout.inner_text() == "3.0e-01"
    page.keyboard.press("ArrowRight")
    assert state(page, 0) == first


def test_keyboard_moves_a_choice(page):
    "And the second player stays where it is."
    first = state(page, 0)
    other = state(page, 1)
    page.get_by_role("radio", name="Adam", exact=True).focus()
    page.keyboard.press("ArrowLeft")
    picture, alt, _ = state(page, 0)
    assert "rule RMSProp" in alt and picture != first[0]
    assert state(page, 1) == other


def test_select_moves_the_frames(page):
    first = state(page, 1)
    other = state(page, 0)
    page.get_by_label("right class").select_option("cat")
    picture, _, caption = state(page, 1)
    assert picture != first[0] and caption == "temperature 1; right: cat, loss 4.67"
    assert state(page, 0) == other
    # As some browsers do at the Enter key; the page must not be loaded anew.
    page.locator(".course-frames form").nth(1).evaluate("form => form.requestSubmit()")
    page.wait_for_timeout(300)
    assert "right: cat" in state(page, 1)[2]


ROLES = {"radio": "group", "range": "slider", "select": "combobox"}
SHOW_ALL = """box => {
  const fields = [...box.querySelectorAll('[data-control]')];

  function size(field) {
    if (field.matches('fieldset')) return field.querySelectorAll('input').length;
    return field.matches('select') ? field.length : Number(field.max) + 1;
  }

  function put(field, n) {
    if (field.matches('fieldset')) field.querySelectorAll('input')[n].checked = true;
    else if (field.matches('select')) field.selectedIndex = n;
    else field.value = n;
  }

  const sizes = fields.map(size);
  const count = sizes.reduce((a, b) => a * b);
  const shown = [];
  for (let combination = 0; combination < count; combination++) {
    let rest = combination;
    for (let k = fields.length - 1; k >= 0; k--) {
      put(fields[k], rest % sizes[k]);
      rest = Math.floor(rest / sizes[k]);
    }
    fields[0].dispatchEvent(new Event('input', {bubbles: true}));
    const picture = box.querySelector('img').src.split(',')[1];
    shown.push([picture, box.querySelector('figcaption').textContent]);
  }
  return shown;
}"""


@pytest.mark.parametrize(("number", "lesson"), [(0, RACE), (1, SOFTMAX)], ids=["race", "softmax"])
def test_every_frame_is_shown(page, number, lesson):
    "Each control has a label, and each position shows the frame that was drawn for it."
    [stored] = frames.stored(lesson)
    box = page.locator(".course-frames").nth(number)
    for control in stored["controls"]:
        field = box.get_by_role(ROLES[control["kind"]], name=control["label"], exact=True)
        assert field.count() == 1
    expected = [[stored["pictures"][n], caption] for n, caption in stored["frames"]]
    assert box.evaluate(SHOW_ALL) == expected


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
    violations = Axe().run(page).response["violations"]
    assert [(rule["id"], rule["nodes"][0]["html"][:100]) for rule in violations] == []


def test_without_script_the_first_frame_is_there(chromium, file):
    context = chromium.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto(file.as_uri())
    for box in page.locator(".course-frames").all():
        image = box.locator("img")
        assert image.is_visible() and image.get_attribute("alt")
        assert not box.locator("form").is_visible()
    context.close()
