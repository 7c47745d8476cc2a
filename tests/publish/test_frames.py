"""Stored frames: what the lesson's own function draws, kept under a digest.

All of them, and the player: whole/test_frames.py."""

import base64
import io
import re

import nbformat
import numpy as np
import pytest
from PIL import Image
from shared import LESSONS, NBS, RACE, SOFTMAX, code_cells, pixels, read, stem

from helpers.course.settings import AT_REST
from publish import frames
from publish.live import dependencies, has_live, names_of, needed, recorded, statements_of

LIVE = [NBS / f"{name}.ipynb" for name in frames.GRID]


def changed(path, folder, old, new):
    "A copy of a lesson, under its own name, with text replaced in the one cell that has it."
    notebook = read(path)
    [cell] = [cell for cell in code_cells(notebook) if old in cell.source]
    cell.source = cell.source.replace(old, new)
    nbformat.write(notebook, folder / path.name)
    return folder / path.name


# --- what is drawn


@pytest.mark.parametrize("path", LIVE, ids=stem)
def test_only_what_is_needed_runs(path):
    "No training, no data set, no exercise; and the call of `live` is last."
    statements = needed(path)
    assert statements[-1].source.startswith("live(") and len(statements) < 25
    for statement in statements:
        assert not re.search(r"\b(mnist|movielens|fit|check|begin|quiz)\(", statement.source)


def at_the_start(path):
    "The positions of a lesson's controls, but of each only the one where it starts."
    [figure] = recorded(path)
    [(_, chosen)] = frames.GRID[path.stem]
    only = {}
    for name, values in chosen.items():
        value = figure.controls[name].value
        labels = dict(map(reversed, frames.positions(name, figure.controls[name], values)))
        only[name] = [labels[value]] if values is ... else [value]
    return only


@pytest.mark.parametrize("path", [RACE, SOFTMAX], ids=stem)
def test_start_is_what_live_draws(path, monkeypatch):
    "Pixel by pixel, before the palette."
    import matplotlib

    matplotlib.use("agg")
    *before, call = needed(path)
    names = {}
    for statement in before:
        exec(statement.source, names)
    figure = eval(call.source, names)
    drawn = []
    monkeypatch.setitem(frames.GRID, path.stem, [("", at_the_start(path))])
    monkeypatch.setattr(frames, "packed", lambda png: drawn.append(png) or "")
    [only] = frames.draw_all(path)
    assert len(only["frames"]) == len(drawn) == 1
    assert np.array_equal(pixels(drawn[0]), pixels(figure.picture))


def test_few_frames(monkeypatch):
    "One for each combination; equal pictures are kept once: Adagrad has no momentum."
    chosen = {"kind": ["Adagrad", "Adam"], "lr": [1], "beta": [0, 0.9]}
    monkeypatch.setitem(frames.GRID, RACE.stem, [("", chosen)])
    [drawn] = frames.draw_all(RACE)
    assert [number for number, _ in drawn["frames"]] == [0, 0, 1, 2]
    for data in drawn["pictures"]:
        picture = Image.open(io.BytesIO(base64.b64decode(data)))
        assert (picture.format, picture.size) == ("WEBP", tuple(drawn["size"]))
    assert all(caption.startswith("After 5 epochs") for _, caption in drawn["frames"])


def test_titles_that_never_change_say_nothing():
    assert frames.captions([["a", ""], ["a", ""]]) == ["", ""]
    assert frames.captions([["a", "b"], ["a", ""]]) == ["a; b", "a"]


@pytest.mark.parametrize("path", LESSONS, ids=stem)
def test_no_later_cell_changes_what_a_live_figure_uses(path):
    "A control may be moved when the whole lesson has run."
    statements = statements_of(path)
    for number, statement in enumerate(statements, start=1):
        if not statement.calls_live:
            continue
        _, names = dependencies(statements[:number])
        for later in statements[number:]:
            if not later.source.startswith(("import ", "from ")):
                assert not names_of(later.source)[1] & names, later.source


# --- what may go wrong


def test_a_data_set_stops_the_build():
    words = (
        r"11_recommendations \(the last in cell \w+\) need the data set movielens "
        r"\(imported in cell \w+\)"
    )
    with pytest.raises(RuntimeError, match=words):
        needed(NBS / "11_recommendations.ipynb")


def test_a_lesson_without_a_figure_is_named():
    with pytest.raises(RuntimeError, match="13_fine_tuning has no call of live"):
        needed(NBS / "13_fine_tuning.ipynb")


FAILED = r"No frames for 07_cross_entropy: cell \w+ .*NameError"


def test_a_failure_before_drawing_names_the_cell(tmp_path):
    path = changed(SOFTMAX, tmp_path, "torch.tensor([-2.17, -1.63,", "undefined([-2.17, -1.63,")
    with pytest.raises(RuntimeError, match=FAILED):
        frames.draw_all(path)


def test_a_failure_while_drawing_names_the_cell(tmp_path):
    "Through the process that draws, as in a build; nothing is left in the cache."
    path = changed(SOFTMAX, tmp_path, "(z / temperature).softmax(0)", "z / nothing")
    with pytest.raises(RuntimeError, match=FAILED):
        frames.stored(path)
    assert not frames.cached(path).exists()


@pytest.mark.parametrize(
    "chosen, words",
    [
        ({"fish": [2.39, 7]}, "fish cannot be 7"),
        ({"fish": [0, 1]}, "fish starts at 2.39"),
        ({"right": ["fish", "car"]}, "right cannot be 'car'"),
        ({"whale": [1]}, "has no control whale"),
    ],
)
def test_positions_that_cannot_be_are_refused(chosen, words, monkeypatch):
    monkeypatch.setitem(frames.GRID, SOFTMAX.stem, [("", chosen)])
    with pytest.raises(RuntimeError, match=words):
        frames.draw_all(SOFTMAX)


def test_each_live_figure_has_its_frames(monkeypatch):
    monkeypatch.setitem(frames.GRID, SOFTMAX.stem, [("", {}), ("", {})])
    with pytest.raises(RuntimeError, match="has 1 live figures, and GRID .* has 2"):
        frames.draw_all(SOFTMAX)


def test_several_live_figures_keep_their_order():
    "The reader's hands, the machine, the valley."
    figures = recorded(NBS / "01_gradient_descent.ipynb")
    assert [list(figure.controls) for figure in figures] == [
        ["a", "b"],
        ["step"],
        ["lr", "batch", "epochs"],
    ]
    assert len({figure.cell for figure in figures}) == 3


# --- the digest


def test_digest_leaves_other_cells_alone(tmp_path):
    other = changed(SOFTMAX, tmp_path, "many = torch.full([10_000]", "many = torch.full([9_000]")
    assert frames.cached(other) == frames.cached(SOFTMAX)


def test_digest_follows_the_cells_of_the_figure(tmp_path):
    other = changed(SOFTMAX, tmp_path, "2.39, -0.16])", "2.39, -0.17])")
    assert frames.cached(other) != frames.cached(SOFTMAX)


def test_digest_follows_modules(monkeypatch):
    before = frames.digest(SOFTMAX)
    monkeypatch.setattr(frames, "read_text", lambda path: path.name)
    assert frames.digest(SOFTMAX) != before


def test_digest_follows_positions(monkeypatch):
    before = frames.digest(SOFTMAX)
    monkeypatch.setitem(frames.GRID, SOFTMAX.stem, [("", {})])
    assert frames.digest(SOFTMAX) != before


# --- in nbdev


@pytest.mark.parametrize("path", LESSONS, ids=stem)
def test_a_picture_is_stored_without_a_widget(path):
    "A widget is dead without its kernel; the picture is there, and has an alternative text."
    notebook = read(path)
    assert "widgets" not in notebook.metadata
    for cell in code_cells(notebook):
        if has_live(cell.source):
            [output] = cell.outputs
            assert set(output["data"]) == {"image/png", "text/plain"}
            assert output["data"]["text/plain"] == AT_REST
            assert len(cell.metadata["alt"]) > 60


def test_nbdev_calls_it():
    from nbdev.processors import FilterDefaults

    assert frames.frames_proc in FilterDefaults().xtra_procs()


def test_names_of_a_statement():
    "The variables of a comprehension are its own, in every Python."
    source = "a = [y for y in x if z]; b = {k: [i*v for i in r] for k, v in w}; c = {d for d in a}"
    used, made = names_of(source)
    assert used == {"x", "z", "w", "r", "a"} and made == {"a", "b", "c"}


def test_older_frames_are_removed(tmp_path, monkeypatch):
    "When the new ones are there, whole."
    monkeypatch.setattr(frames, "cached", lambda path: tmp_path / f"{path.stem}-new.json")
    for name in (f"{RACE.stem}-old.json", f"{SOFTMAX.stem}-old.json"):
        (tmp_path / name).write_text("{}")
    monkeypatch.setattr(frames, "draw_all", lambda path: {"pictures": []})
    frames.draw_and_keep(SOFTMAX)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {f"{RACE.stem}-old.json", f"{SOFTMAX.stem}-new.json"}
