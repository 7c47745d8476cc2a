"Names beside points: all that have room are placed, none covers another or leaves the axes."

import html
import itertools
import re

import matplotlib
import numpy as np
import pytest
import torch

matplotlib.use("agg")
import matplotlib.pyplot as plt

from helpers.course.figures import Table, axes, image_grid, labelled_scatter, spread


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
