"Cards can be read in light and dark, and nothing in them runs."

import re

import pytest

from helpers.course import quiz
from helpers.course.cards import DARK_PAGES, SIGNS, STYLE, bar, card, escaped, formatted, link, show


def luminance(colour):
    "Relative luminance of '#rrggbb', as the Web Content Accessibility Guidelines define it."
    parts = []
    for start in (1, 3, 5):
        part = int(colour[start : start + 2], 16) / 255
        parts.append(part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4)
    red, green, blue = parts
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    "1 for equal colours, 21 for black on white."
    darker, lighter = sorted([luminance(one), luminance(other)])
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_that_of_the_guidelines():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def colours(rule):
    "Name to colour of the variables in one rule of a style sheet."
    return dict(re.findall(r"--course-(\w+): (#\w{6})", rule))


light, dark = [colours(rule) for rule in re.findall(r"\{[^}]*--course-text:[^}]*\}", STYLE)]


@pytest.mark.parametrize("theme", [light, dark], ids=["light", "dark"])
def test_every_text_of_a_card_stands_out(theme):
    for name in ("text", "muted", "link", "solved", "wrong", "open"):
        for ground in ("ground", "soft"):
            assert contrast(theme[name], theme[ground]) >= 4.5, (name, ground)
    for name in ("muted", "solved"):  # the edge and the filling of a bar
        assert contrast(theme[name], theme["ground"]) >= 3, name


# The pages behind a quiz: JupyterLab's and the site's, light and dark.
LIGHT_GROUNDS = ["#ffffff"]
DARK_GROUNDS = ["#111111", "#212121", "#121212", "#14181e"]


def test_feedback_of_a_quiz_stands_out():
    on_light = [quiz._COLOURS[f"--jq-{kind}-color"] for kind in ("correct", "incorrect")]
    on_dark = re.findall(r"--quiz-\w+: (#\w{6})", quiz._STYLE)
    assert len(on_dark) == 2
    for grounds, feedback in [(LIGHT_GROUNDS, on_light), (DARK_GROUNDS, on_dark)]:
        for colour in feedback:
            assert min(contrast(colour, ground) for ground in grounds) >= 4.5, colour
    # and white letters on the buttons that were chosen
    assert all(contrast(colour, "#fafafa") >= 4.5 for colour in on_light)


def test_dark_pages_are_the_same_for_all():
    for page in DARK_PAGES:
        assert f"{page} .course" in STYLE
        assert page in quiz._STYLE


def test_text_is_formatted_and_nothing_runs():
    assert formatted("a `b<c`\n\nd") == "<p>a <code>b&lt;c</code></p><p>d</p>"
    assert formatted("one\ntwo") == "<p>one<br>two</p>"
    assert escaped("<b> $x$") == "&lt;b&gt; <span>$</span>x<span>$</span>"


@pytest.mark.parametrize("kind", SIGNS)
def test_a_card_shows_what_it_is_given(kind):
    page = card(kind, "<head>", "<name>", "<text>", bar(1, 4, "<parts>") + link("<link>", '"'))
    for word in ("head", "name", "text", "parts", "link"):
        assert f"&lt;{word}&gt;" in page
    assert f"course-card {kind}" in page and SIGNS[kind] in page
    assert 'style="width:25%"' in page and "1 of 4 " in page
    assert 'href="&quot;"' in page


def test_a_bar_of_nothing_is_empty():
    assert 'style="width:0%"' in bar(0, 0, "exercises")


def test_without_a_notebook_there_is_text(capsys):
    assert show("<p>page</p>", "text") is None
    assert show("<p>page</p>", "") is None
    assert capsys.readouterr().out == "text\n"
