"Stored frames: what the lesson's own function draws, kept under a digest. (All of them, and the player: whole/test_frames.py.)"

import base64
import io
import re

import nbformat
import numpy as np
import pytest
from PIL import Image
from shared import RACE, ROOT, SOFTMAX, pixels

from publish import frames

CHOSEN = [ROOT / "nbs" / f"{stem}.ipynb" for stem in frames.GRID]


def changed(path, folder, edit):
    "A copy of a lesson, under its own name, after `edit` was called with its notebook."
    notebook = nbformat.read(path, as_version=4)
    edit(notebook)
    nbformat.write(notebook, folder / path.name)
    return folder / path.name


def replaced(old, new):
    "An edit that replaces text in the one cell that has it."

    def edit(notebook):
        [cell] = [
            cell for cell in notebook.cells if cell.cell_type == "code" and old in cell.source
        ]
        cell.source = cell.source.replace(old, new)

    return edit


# --- what is drawn


@pytest.mark.parametrize("path", CHOSEN, ids=lambda path: path.stem)
def test_only_what_is_needed_runs(path):
    "No training, no data set, no exercise; and the call of `live` is last."
    statements = frames.needed(path)
    assert statements[-1][1].startswith("live(") and len(statements) < 25
    assert not any(
        re.search(r"\b(mnist|movielens|fit|check|begin|quiz)\(", source) for _, source in statements
    )


@pytest.mark.parametrize("path", [RACE, SOFTMAX], ids=lambda path: path.stem)
def test_start_is_what_live_draws(path, monkeypatch):
    "Pixel by pixel, before the palette."
    import matplotlib

    matplotlib.use("agg")
    *before, (cell, call) = frames.needed(path)
    names, drawn = {}, []
    for _, source in before:
        exec(source, names)
    widget = eval(call, names)
    start = {control.description: control.value for control in widget.children[0].children}
    about, chosen = frames.GRID[path.stem]
    found = frames.recorded(path)
    only = {
        name: [
            next(
                label
                for label, value in frames.positions(name, found["controls"][name], values)
                if value == found["controls"][name].value
            )
        ]
        if values is ...
        else [found["controls"][name].value]
        for name, values in chosen.items()
    }
    monkeypatch.setitem(frames.GRID, path.stem, (about, only))
    monkeypatch.setattr(frames, "_packed", lambda png: drawn.append(png) or "")
    assert len(frames.draw_all(path)["frames"]) == len(drawn) == 1
    assert np.array_equal(pixels(drawn[0]), pixels(widget.children[1].value))
    assert start == {control.description: control.value for control in found["controls"].values()}


def test_few_frames(monkeypatch):
    "One for each combination, of one size; equal pictures are kept once: Adagrad has no momentum."
    chosen = {"kind": ["Adagrad", "Adam"], "lr": [1], "beta": [0, 0.9]}
    monkeypatch.setitem(frames.GRID, RACE.stem, ("", chosen))
    kept = frames.draw_all(RACE)
    assert [number for number, _ in kept["frames"]] == [0, 0, 1, 2]
    pictures = [Image.open(io.BytesIO(base64.b64decode(data))) for data in kept["pictures"]]
    assert {(picture.format, picture.size) for picture in pictures} == {
        ("WEBP", tuple(kept["size"]))
    }
    assert all(said.startswith("After 5 epochs") for _, said in kept["frames"])


# --- what may go wrong


def test_a_data_set_stops_the_build():
    with pytest.raises(
        RuntimeError,
        match=r"10_collaborative_filtering \(cell \w+\) needs the data set movielens \(imported in cell \w+\)",
    ):
        frames.needed(ROOT / "nbs" / "10_collaborative_filtering.ipynb")


def test_a_lesson_without_a_figure_is_named():
    with pytest.raises(RuntimeError, match="03_mnist_sgd has no call of live"):
        frames.needed(ROOT / "nbs" / "03_mnist_sgd.ipynb")


def test_a_failure_before_drawing_names_the_cell(tmp_path):
    path = changed(
        SOFTMAX, tmp_path, replaced("names, logits = ['cat'", "undefined_name, logits = ['cat'")
    )
    with pytest.raises(RuntimeError, match=r"No frames for 07_cross_entropy: cell \w+ .*NameError"):
        frames.draw_all(path)


def test_a_failure_while_drawing_names_the_cell(tmp_path):
    "Through the process that draws, as in a build; nothing is left in the cache."
    path = changed(SOFTMAX, tmp_path, replaced("p = (z/temperature).softmax(0)", "p = z/nothing"))
    with pytest.raises(RuntimeError, match=r"No frames for 07_cross_entropy: cell \w+ .*NameError"):
        frames.stored(path)
    assert not frames.cached(path).exists()


@pytest.mark.parametrize(
    "chosen, said",
    [
        ({"fish": [2.39, 7]}, "fish cannot be 7"),
        ({"fish": [0, 1]}, "fish starts at 2.39"),
        ({"right": ["fish", "car"]}, "right cannot be 'car'"),
        ({"whale": [1]}, "has no control whale"),
    ],
)
def test_positions_that_cannot_be_are_refused(chosen, said, monkeypatch):
    monkeypatch.setitem(frames.GRID, SOFTMAX.stem, ("", chosen))
    with pytest.raises(RuntimeError, match=said):
        frames.draw_all(SOFTMAX)


def test_digest_follows_what_the_figure_needs(tmp_path, monkeypatch):
    "And nothing else: another cell of the lesson leaves the frames alone."
    before = frames.cached(SOFTMAX)
    assert (
        frames.cached(
            changed(
                SOFTMAX,
                tmp_path,
                replaced("perfect = torch.tensor([[100., 0.", "perfect = torch.tensor([[90., 0."),
            )
        )
        == before
    )
    assert (
        frames.cached(
            changed(
                SOFTMAX,
                tmp_path,
                replaced("-2.17, -1.63, -2.75, 2.39, -.16])", "-2.17, -1.63, -2.75, 2.39, -.17])"),
            )
        )
        != before
    )
    modules = frames._modules("from helpers.course.figures import live\nimport torch")
    assert {path.name for path in modules} == {"figures.py", "front.py", "settings.py"}
    assert ROOT / "helpers" / "settings.py" in frames._modules(
        "from helpers.data.find import points"
    )
    with monkeypatch.context() as patch:
        patch.setattr(frames, "_modules", lambda source: [ROOT / "helpers" / "settings.py"])
        assert frames.cached(SOFTMAX) != before
    monkeypatch.setitem(frames.GRID, SOFTMAX.stem, ("", {}))
    assert frames.cached(SOFTMAX) != before


# --- in nbdev


def test_nbdev_calls_it():
    from nbdev.processors import FilterDefaults

    assert frames.frames_proc in FilterDefaults().xtra_procs()


def test_names_of_a_statement():
    "The variables of a comprehension are its own, in every Python."
    source = "a = [y for y in x if z]; b = {k: [i*v for i in r] for k, v in w}; c = {d for d in a}"
    used, made = frames._names(source)
    assert used == {"x", "z", "w", "r", "a"} and made == {"a", "b", "c"}
