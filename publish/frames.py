"""Stored frames. On the site there is no kernel, so a live figure's pictures are drawn in advance.

The reader's sliders choose among them."""

import base64
import hashlib
import importlib.metadata
import inspect
import io
import itertools
import json
import subprocess
import sys
import warnings
from pathlib import Path

import nbformat
from nbdev.process import Processor

from helpers.course.files import replacing
from helpers.course.settings import settings
from publish.imports import closure, read_text
from publish.lessons import ROOT
from publish.live import Figure, has_live, needed, recorded
from publish.player import player

# Lesson to its live figures, in order: what each shows, and the positions of its controls: values
# of a slider, words of a menu, or ... for all of a menu's words. Controls that are not named stay
# where they start.
GRID = {
    "01_gradient_descent": [
        (
            "29 points and a line; orange bars show by how much the line misses each point.",
            {"a": [0, 1, 1.5, 2, 2.5, 3, 4], "b": [0, 1, 10, 20, 30, 40, 60]},
        ),
        (
            "29 points, the machine's line after some moves, and orange bars that show by how "
            "much it misses each point.",
            {"step": [0, 1, 2, 3, 4, 5, 10, 29, 58, 87, 116, 145]},
        ),
        (
            "The loss surface over slope and intercept, a long narrow valley, and the path of "
            "descent in it.",
            {
                "lr": [1e-5, 1e-4, 2e-4, 3e-4, 3.8e-4, 4e-4],
                "batch": ...,
                "epochs": [1, 5, 20, 60],
            },
        ),
    ],
    "02_layers_backward": [
        (
            "Two ReLUs, dashed, and their sum, a line with two bends.",
            {
                "hinge_1": [-1, 0],
                "slope_1": [-1, 1, 2],
                "hinge_2": [0, 1],
                "slope_2": [-2, -1, 1],
            },
        ),
        (
            "A wave in grey, and the broken line of a net that learns it; dots mark the hinges.",
            {"hundreds": [0, 1, 2, 3, 5, 7, 10, 15, 20, 30, 40, 50]},
        ),
    ],
    "03_mnist_sgd": [
        (
            "The training loss of a tiny net over 200 updates, and a dotted line at ln 3.",
            {"lr": ..., "start": [0, 1, 2]},
        )
    ],
    "04_momentum_adam": [
        (
            "The loss surface over slope and intercept, a long narrow valley, and the path of a "
            "rule in it.",
            {
                "kind": ...,
                "lr": [1e-5, 1e-4, 3e-4, 1e-2, 0.1, 0.3, 1, 3, 10],
                "beta": [0, 0.9, 0.98],
            },
        )
    ],
    "06_learning_rates": [
        (
            "Left, rate and momentum over 300 steps; right, the mean loss of twenty walkers in a "
            "noisy valley, with one cycle and with two constant rates.",
            {
                "peak": [0.1, 0.5, 1, 2, 5, 10, 20],
                "warm": [0.02, 0.25, 0.6],
                "lowest_momentum": [0.5, 0.85, 0.95],
            },
        )
    ],
    "07_cross_entropy": [
        (
            "Bars of the five logits on the left, of their probabilities on the right; the bar of "
            "the right class has another colour.",
            {
                "fish": [-5, -2.5, 0, 2.39, 5],
                "temperature": [0.1, 0.5, 1, 3, 10],
                "right": ...,
            },
        )
    ],
    "08_weight_decay": [
        (
            "Noisy measurements of a hill, the true curve and the polynomial that was fitted.",
            {
                "degree": [1, 2, 4, 11, 30],
                "wd": ["0", "1e-06", "0.0001", "0.001", "0.01", "0.1", "1", "10"],
                "points": [4, 12, 60],
            },
        )
    ],
    "09_embeddings": [
        (
            "A one-hot row, times a table of numbers, gives the row of the table that the 1 picks.",
            {"rows": [2, 4, 6, 12], "row": [*range(12)]},
        )
    ],
    "12_tabular_embeddings": [
        (
            "A grey bell: how often fair coins give each number of heads. Its orange tails are at "
            "least as far from half and half as the blue line.",
            {"only_net": [35, 43, 175, 215, 350, 390, 430, 470], "only_rival": [35, 175, 350, 430]},
        )
    ],
}


# --- where the controls stand


def _choices(control, words):
    "Pairs of label and value of a menu, and the words that it does not have."
    pairs = {}
    for option in control.options:
        label, value = option if isinstance(option, tuple) else (str(option), option)
        pairs[label] = value
    if words is ...:
        words = list(pairs)
    unknown = [word for word in words if word not in pairs]
    return [(word, pairs[word]) for word in words if word in pairs], unknown


def _numbers(control, values):
    "Pairs of label and value of a slider, and the values that it cannot take."
    low, high = control.min, control.max
    if type(control).__name__ == "FloatLogSlider":
        low, high = control.base**low, control.base**high
    low -= 1e-9 * abs(low)
    high += 1e-9 * abs(high)
    outside = [value for value in values if not low <= value <= high]
    return [(format(value, control.readout_format), value) for value in values], outside


def positions(
    name: str,  # argument that the control sets
    control,  # an ipywidget
    values,  # as in `GRID`
) -> list:  # pairs of label and value
    """Where a control may stand, with the words it shows there.

    `RuntimeError` where it cannot take a value, or its start is not among them."""
    positions_of = _choices if hasattr(control, "options") else _numbers
    pairs, outside = positions_of(control, values)
    if outside:
        raise RuntimeError(
            f"In the lesson, {name} cannot be {outside[0]!r}. Change GRID in publish/frames.py."
        )
    if control.value not in [value for _, value in pairs]:
        raise RuntimeError(
            f"{name} starts at {control.value!r} in the lesson; that should be among its "
            "positions in GRID (publish/frames.py)."
        )
    return pairs


# --- drawing


def packed(
    png: bytes,
) -> str:  # base64
    "A picture with few colours in WebP without loss, as text."
    from PIL import Image

    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture = picture.quantize(48, dither=Image.Dither.NONE).convert("RGB")
    file = io.BytesIO()
    picture.save(file, "webp", lossless=True, quality=80, method=4)
    return base64.b64encode(file.getvalue()).decode()


def draw_frame(
    figure: Figure,
    values: dict,  # name of a control to where it stands
) -> tuple:  # the picture (PNG), and the titles of its axes
    "Draw one picture of a live figure."
    import numpy as np

    from helpers.course.figures import frame

    titles = []

    def draw(axes, **values):
        figure.draw(axes, **values)
        titles[:] = [ax.get_title().replace("\n", "; ") for ax in np.ravel(axes)]

    with warnings.catch_warnings(), np.errstate(all="ignore"):  # paths that explode
        warnings.simplefilter("ignore", RuntimeWarning)
        return frame(draw, values, **figure.size), titles


def draw_pictures(
    path: Path,  # a lesson of GRID
    figure: Figure,
    moved: dict,  # name of a control to its positions
) -> tuple:  # pictures, each once; and for each combination the picture's number, and the titles
    "Draw a live figure with every combination of positions."
    numbers = {}
    frames = []
    for combination in itertools.product(*moved.values()):
        values = figure.start()
        for name, (_, value) in zip(moved, combination):
            values[name] = value
        try:
            png, titles = draw_frame(figure, values)
        except Exception as error:
            raise RuntimeError(
                f"No frames for {path.stem}: cell {figure.cell} could not draw {values}: "
                f"{type(error).__name__}: {error}"
            ) from error
        frames.append((numbers.setdefault(png, len(numbers)), titles))
    return list(numbers), frames


KINDS = {"ToggleButtons": "radio", "Dropdown": "select"}  # what is not named here is a range


def describe_control(
    control,  # an ipywidget
    pairs: list,  # as from `positions`
) -> dict:  # label, kind, labels of its positions, and number of the one where it starts
    "A control that moves, as the player wants it."
    values = [value for _, value in pairs]
    return {
        "label": control.description,
        "kind": KINDS.get(type(control).__name__, "range"),
        "labels": [label for label, _ in pairs],
        "start": values.index(control.value),
    }


def describe_fixed(
    control,  # an ipywidget
) -> str:
    "A control that stays where it starts, in words."
    value = control.value
    if isinstance(value, (int, float)):
        value = f"{value:g}"
    return f"{control.description} {value}"


def captions(
    titles: list,  # for each frame those of its axes
) -> list:  # a text for each frame
    "What the titles say; nothing where they never change."
    if len(set(map(tuple, titles))) == 1:
        return [""] * len(titles)
    return ["; ".join(filter(None, texts)) for texts in titles]


def draw_one(
    path: Path,  # a lesson of GRID
    figure: Figure,  # one of its live figures
    shows: str,  # what it shows
    chosen: dict,  # name of a control to its positions, as in GRID
) -> dict:  # as the player wants it
    "Draw the frames of one live figure."
    from PIL import Image

    unknown = set(chosen) - set(figure.controls)
    if unknown:
        raise RuntimeError(
            f"The figure of {path.stem} has no control {', '.join(sorted(unknown))}, which GRID in "
            "publish/frames.py names."
        )
    moved = {}
    for name, values in chosen.items():
        moved[name] = positions(name, figure.controls[name], values)
    pictures, frames = draw_pictures(path, figure, moved)
    numbers = [number for number, _ in frames]
    texts = captions([titles for _, titles in frames])
    fixed = [control for name, control in figure.controls.items() if name not in moved]
    return {
        "shows": shows,
        "size": Image.open(io.BytesIO(pictures[0])).size,
        "pictures": [packed(png) for png in pictures],
        "frames": list(zip(numbers, texts)),
        "controls": [describe_control(figure.controls[name], moved[name]) for name in moved],
        "fixed": [describe_fixed(control) for control in fixed],
    }


def draw_all(
    path: Path,  # a lesson of GRID
) -> list:  # for each live figure, as the player wants it
    "Draw a lesson's frames; `RuntimeError` if it has more live figures than GRID, or fewer."
    figures = recorded(path)
    if len(figures) != len(GRID[path.stem]):
        raise RuntimeError(
            f"{path.stem} has {len(figures)} live figures, and GRID in publish/frames.py has "
            f"{len(GRID[path.stem])} for it."
        )
    drawn = []
    for figure, (shows, chosen) in zip(figures, GRID[path.stem]):
        drawn.append(draw_one(path, figure, shows, chosen))
    return drawn


# --- keeping them

DRAWING = (
    recorded,
    positions,
    _choices,
    _numbers,
    packed,
    draw_frame,
    draw_pictures,
    describe_control,
    describe_fixed,
    captions,
    draw_one,
    draw_all,
)


def digest(
    path: Path,  # a lesson of GRID
) -> str:
    "Of all that the frames depend on: code, positions, modules, versions."
    statements = [(statement.cell, statement.source) for statement in needed(path)]
    parts = [repr(statements), repr(GRID[path.stem])]
    parts += [inspect.getsource(function) for function in DRAWING]
    parts += [importlib.metadata.version(name) for name in ("matplotlib", "pillow")]
    for file in closure("\n".join(source for _, source in statements)):
        parts.append(read_text(ROOT / file))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def cached(
    path: Path,  # a lesson of GRID
) -> Path:  # of a JSON file, there or not
    "Where a lesson's frames are kept."
    return settings().cache / "frames" / f"{path.stem}-{digest(path)}.json"


def stored(
    path: Path,  # a lesson of GRID
) -> list:  # as from `draw_all`
    "A lesson's frames, drawn if they are not there yet; `RuntimeError` if that fails."
    file = cached(path)
    if not file.is_file():
        command = [sys.executable, "-m", "publish.frames", str(path)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            _, kind, words = done.stderr.rpartition("RuntimeError")
            last_line = done.stderr.strip().splitlines()[-1]
            raise RuntimeError((kind + words).strip() if kind else last_line)
    return json.loads(file.read_text(encoding="utf-8"))


def draw_and_keep(
    path: Path,  # a lesson of GRID
):
    "Draw a lesson's frames into the cache, whole or not at all, and remove older ones."
    file = cached(path)
    text = json.dumps(draw_all(path))
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as unfinished:
        unfinished.write_text(text, encoding="utf-8")
    for older in file.parent.glob(f"{path.stem}-*.json"):
        if older != file:
            older.unlink()


# --- in nbdev


class frames_proc(Processor):
    "Put a player of stored frames in place of the live figures of GRID."

    def begin(self):
        path = Path(self.nb.get("path_") or "")
        self.frames = stored(path) if path.stem in GRID else []
        self.count = 0  # of those that were put in place

    def __call__(self, cell):
        if not self.frames or cell.cell_type != "code" or not has_live(cell.source):
            return
        data = {"text/html": player(self.frames[self.count]), "text/plain": "<stored frames>"}
        self.count += 1
        output = dict(output_type="display_data", metadata={}, data=data)
        cell.outputs = [nbformat.from_dict(output)]


if __name__ == "__main__":
    for name in sys.argv[1:] or [f"{ROOT}/nbs/{stem}.ipynb" for stem in GRID]:
        draw_and_keep(Path(name))
