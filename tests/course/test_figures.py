"Names beside points: all that have room are placed, none covers another or leaves the axes."

import base64
import html
import itertools
import re

import matplotlib
import numpy as np
import pytest
import torch

matplotlib.use("agg")
import matplotlib.pyplot as plt

from helpers.course import figures
from helpers.course.figures import (
    Table,
    axes,
    contours,
    frame,
    hover_scatter,
    image_grid,
    labelled_scatter,
    live,
    spread,
)


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def boxes(ax):
    "Where the names really are, in pixels."
    ax.figure.canvas.draw()
    return [text.get_window_extent() for text in ax.texts]


@pytest.mark.parametrize("shift", [0, -5, 100])
def test_most_names_find_a_place(shift):
    "Whatever the range of the data: limits are settled before names are placed."
    x, y = np.random.default_rng(0).normal(size=(2, 40)) + shift
    ax = labelled_scatter(x, y, [f"name {n}" for n in range(40)])
    assert len(ax.texts) >= 32
    assert len(ax.collections[0].get_offsets()) == 40


def test_names_neither_overlap_nor_leave_the_axes():
    x, y = np.random.default_rng(1).normal(size=(2, 60))
    ax = labelled_scatter(x, y, [f"a longer name {n}" for n in range(60)])
    found = boxes(ax)
    assert 15 < len(found) < 60, "some find no room"
    overlap = [
        (a, b)
        for a, b in itertools.combinations(found, 2)
        if min(a.x1, b.x1) - max(a.x0, b.x0) > 3 and min(a.y1, b.y1) - max(a.y0, b.y0) > 3
    ]
    assert overlap == []
    frame = ax.get_window_extent()
    assert all(box.x0 > frame.x0 - 15 and box.x1 < frame.x1 + 15 for box in found)


def test_first_names_come_first():
    ax = labelled_scatter([0, 0, 1], [0, 0, 1], ["first", "second", ""], ax=axes())
    assert ax.texts[0].get_text() == "first" and all(text.get_text() for text in ax.texts)


def test_grid_of_colours():
    "Bytes and shares give the same picture, in the right colours and shape."
    pictures = torch.zeros(2, 3, 8, 4, dtype=torch.uint8)
    pictures[1, 2] = 255  # blue
    for given in (pictures, pictures / 255):
        shown = image_grid(given, cols=2)[0, 1].images[0].get_array()
        assert shown.shape == (8, 4, 3) and tuple(shown[0, 0]) == (0, 0, 1)


def test_names_are_no_formulas():
    "Two dollars begin and end a formula in Matplotlib, and a wrong one stops the drawing."
    ax = labelled_scatter([0, 1], [0, 1], [r"$5 \to $9", r"A $\frac$ B"])
    grid = image_grid(torch.zeros(1, 2, 2), titles=[r"$\frac$"], cols=1)
    for drawn in (ax, grid[0, 0]):
        drawn.figure.canvas.draw()


def test_dark_is_a_high_loss():
    "The map of colours falls evenly in lightness, which every eye sees."
    ax = contours(lambda x, y: x**2 + y**2, (-3, 3), (-3, 3), {"path": [(2, 2), (1, 1)]})
    colours = ax.collections[0].get_facecolor()[:, :3]
    lightness = colours @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness) < 0).all()
    edge, path, _ = ax.lines
    assert edge.get_color() == "white" and edge.get_linewidth() > path.get_linewidth()


# Live figures

NAMES = ("cat", '<b>&"', "dog")


def power(ax, exponent, kind="power"):
    ax.plot([1 / exponent, 2**exponent])


def controls():
    ipywidgets = pytest.importorskip("ipywidgets")
    return {
        "exponent": ipywidgets.IntSlider(1, 0, 5, description="exponent"),
        "kind": ipywidgets.ToggleButtons(options=["power", "page"], description="kind"),
    }


@pytest.fixture
def watched(monkeypatch):
    "Somebody sits before the notebook."
    monkeypatch.setattr(figures, "interactive", lambda: True)


def test_a_picture_alone_where_nobody_watches():
    bundle = live(power, **controls())._repr_mimebundle_()
    assert set(bundle) == {"image/png", "text/plain"}
    assert base64.b64decode(bundle["image/png"]) == frame(power, {"exponent": 1})


def test_the_picture_stands_behind_the_widget(watched):
    "For readers without a kernel; first the picture, then a note, then the controls in line."
    figure = live(power, **controls())
    bundle = figure._repr_mimebundle_()
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == figure.box.model_id
    assert base64.b64decode(bundle["image/png"]) == frame(power, {"exponent": 1})
    image, _, moved = figure.box.children
    assert image.value == figure.picture
    assert image.tooltip.startswith("Drawn for exponent = 1")
    assert len({control.layout.width for control in moved.children}) == 1
    assert len({control.style.description_width for control in moved.children}) == 1


def test_an_error_while_drawing_is_said(watched):
    "And forgotten when the next picture has come."
    given = controls()
    image, note, _ = live(power, **given).box.children
    given["exponent"].value = 0
    assert "ZeroDivisionError: division by zero" in note.value
    assert "course-stale" in image._dom_classes
    given["exponent"].value = 3
    assert image.value == frame(power, {"exponent": 3})
    assert "ZeroDivisionError" not in note.value and "course-stale" not in image._dom_classes


def test_controls_that_change_nothing_are_disabled(watched):
    given = controls()
    live(power, idle=lambda kind, **others: ["exponent"] if kind == "page" else [], **given)
    assert not given["exponent"].disabled
    given["kind"].value = "page"
    assert given["exponent"].disabled and not given["kind"].disabled
    given["kind"].value = "power"
    assert not given["exponent"].disabled


def test_a_slider_may_move_by_itself(watched):
    given = controls()
    *_, moved = live(power, play="exponent", **given).box.children
    slider, play = moved.children[0].children
    assert slider is given["exponent"] and type(play).__name__ == "Play"
    assert (play.value, play.min, play.max) == (1, 0, 5), "it begins where the slider stands"


def test_a_page_in_place_of_the_picture(watched):
    given = controls()
    figure = live(power, page=lambda exponent, kind: f"<p>{kind} {exponent}</p>", **given)
    shown = figure.box.children[0]
    assert shown.value == "<p>power 1</p>"
    given["exponent"].value = 0  # `power` cannot draw it, but nobody asks it to
    assert shown.value == "<p>power 0</p>"
    assert figure.picture == frame(power, {"exponent": 1})


def test_names_under_the_pointer():
    "Whatever they hold, they are texts; a star and numbers mark points, with names beside."
    page = hover_scatter(
        [0, 1, 2],
        [5, 5, 5],
        NAMES,
        ["animal", "odd", "animal"],
        {"animal": "#111111", "odd": "#222222"},
        marked=[1, 2],
        title="<i>title</i>",
    )
    points = re.findall(r'<i class="(\w+)[^>]*data-t="([^"]*)"', page)
    assert points == [(kind, html.escape(name)) for kind, name in zip(("c0", "c1", "c0"), NAMES)]
    marks = re.findall(r'<b class="[^>]*data-t="([^"]*)">(.)</b>', page)
    assert marks == [(html.escape(NAMES[1]), "★"), ("dog", "1")]
    assert "★ &lt;b&gt;&amp;&quot;<br>1 dog" in page and "&lt;i&gt;title" in page
    assert "script" not in page


def test_a_map_of_a_thousand_is_light():
    "About a hundred kilobytes go to the page each time a control is moved."
    x, y = np.random.default_rng(0).normal(size=(2, 1000))
    names = ["A title of usual length (1997), 3.5"] * 1000
    assert len(hover_scatter(x, y, names, ["one"] * 1000, {"one": "#111111"})) < 110_000


# Tables

TEXTS = [
    "<img src=x onerror=alert(1)>",
    "<b>bold</b>",
    "R&D &amp; &lt;",
    "M*A*S*H",
    "**b**",
    "_x_ and __init__",
    "~~gone~~",
    "Succe$s",
    "$5 to $10",
    r"\(x\) or $$y$$",
    "a|b",
    r"a\|<img src=x>",
    "[a](javascript:alert(1))",
    "![a](http://x/y.png)",
    "<https://x.y>",
    "https://x.y/a_b",
    "it`s",
    "``",
    "\\",
    "[64, 1]",
    "<!-- -->",
    "1e-05",
    "",
    r"`a\|<img src=x>`",
]


def rendered(table):
    "The cells of a table's body as HTML, as CommonMark with tables has them."
    from markdown_it import MarkdownIt

    body = (
        MarkdownIt("commonmark")
        .enable(["table", "strikethrough"])
        .render(table._repr_markdown_())
        .partition("<tbody>")[2]
    )
    return [re.findall("<td>(.*?)</td>", row, re.S) for row in body.split("</tr>")[:-1]]


@pytest.mark.parametrize("text", TEXTS)
def test_a_cell_is_a_text(text):
    """Whatever a title or a label holds: it is seen as it is.

    Neither it nor what follows becomes anything else."""
    table = Table([text, "b"], [[text, "last"], [text, text]])
    cells = [[re.sub("</?span>", "", cell) for cell in row] for row in rendered(table)]
    assert [[html.unescape(cell) for cell in row] for row in cells] == [
        [text, "last"],
        [text, text],
    ]
    assert "<" not in "".join(map("".join, cells))
    assert not re.search(r"(?<!\\)\$", table._repr_markdown_()), (
        "JupyterLab takes out formulas before it looks for cells"
    )


def test_dollars_of_one_cell_are_kept_apart():
    "JupyterLab looks for formulas in the finished page once more, within an element."
    assert rendered(Table(["a"], [["$5 to $10"]])) == [["<span>$</span>5 to <span>$</span>10"]]


def test_code_stays_code():
    cells = [["`F.cross_entropy`", "the `<b>` of `a|b`"], ["`$x$ * _y_`", "`a``b`"]]
    assert rendered(Table(["a", "b"], cells)) == [
        ["<code>F.cross_entropy</code>", "the <code>&lt;b&gt;</code> of <code>a|b</code>"],
        ["<code>$x$ * _y_</code>", "<code>a``b</code>"],
    ]


def test_a_line_break_is_a_blank():
    table = Table(["a\nb", "c"], [["d\r\ne", 1.5]])
    assert rendered(table) == [["d e", "1.5"]] and repr(table) == "a b  c\nd e  1.5"


def test_spread_of_seeds():
    scores = {"plain": [0.5, 0.75, 1.0], "one seed": torch.tensor([0.12345678]), "none": []}
    table = spread(scores)
    assert list(table.columns) == ["mean", "sd", "lowest", "highest", "seeds"]
    assert table.loc["plain"].tolist() == [0.75, 0.25, 0.5, 1.0, 3]
    assert table.loc["one seed", "mean"] == 0.1235 and np.isnan(table.loc["one seed", "sd"])
    assert table["seeds"].tolist() == [3, 1, 0] and table["seeds"].dtype == int
    assert spread(scores, digits=2).loc["one seed", "mean"] == 0.12


def test_a_score_that_is_nan_is_not_passed_over():
    row = spread({"diverged": [0.5, float("nan")]}).loc["diverged"]
    assert row.isna().tolist() == [True, True, True, True, False]
