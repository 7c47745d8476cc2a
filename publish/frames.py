"On the site there is no kernel, so the pictures of a live figure are drawn in advance, and the reader's sliders choose among them."

import ast
import base64
import hashlib
import importlib.metadata
import inspect
import io
import itertools
import json
import subprocess
import symtable
import sys
from pathlib import Path

import nbformat
from nbdev.process import Processor

import helpers
from helpers.course.settings import settings
from publish.player import player

ROOT = Path(helpers.__file__).resolve().parent.parent


GRID = {
    "01_gradient_descent": (
        "The loss surface over slope and intercept, a long narrow valley, and the path of descent in it.",
        dict(lr=[1e-5, 1e-4, 2e-4, 3e-4, 3.8e-4, 4e-4], batch=..., epochs=[1, 5, 20, 60]),
    ),
    "04_momentum_adam": (
        "The loss surface over slope and intercept, a long narrow valley, and the path of the optimizer in it.",
        dict(kind=..., lr=[1e-5, 1e-4, 3e-4, 1e-2, 0.1, 0.3, 1, 3, 10], beta=[0, 0.9, 0.98]),
    ),
    "06_learning_rates": (
        "Left, rate and momentum over 300 steps; right, the mean loss of twenty walkers in a noisy valley, with one cycle and with two constant rates.",
        dict(
            peak=[0.1, 0.5, 1, 2, 5, 10, 40],
            warm=[0.02, 0.25, 0.6],
            lowest_momentum=[0.5, 0.85, 0.95],
        ),
    ),
    "07_cross_entropy": (
        "Bars of the five logits on the left, of their probabilities on the right; the bar of the right class has another colour.",
        dict(fish=[-5, -2.5, 0, 2.39, 5], temperature=[0.1, 0.5, 1, 3, 10], right=...),
    ),
    "08_weight_decay": (
        "Noisy measurements of a hill, the true curve and the polynomial that was fitted.",
        dict(
            degree=[1, 2, 4, 11, 30],
            wd=["0", "1e-06", "0.0001", "0.001", "0.01", "0.1", "1", "10"],
            points=[4, 12, 60],
        ),
    ),
    "09_embeddings": (
        "A one-hot row, times a table of numbers, gives one row of the table; the same row is found by looking it up.",
        dict(rows=[2, 4, 6, 12], row=[*range(12)]),
    ),
}


class _Generators(ast.NodeTransformer):
    "Lists, sets and dictionaries in one line as generators, whose variables stay inside."

    def visit_ListComp(self, node):
        self.generic_visit(node)
        return ast.GeneratorExp(node.elt, node.generators)

    visit_SetComp = visit_ListComp

    def visit_DictComp(self, node):
        self.generic_visit(node)
        pair = ast.Tuple([node.key, node.value], ast.Load())
        return ast.GeneratorExp(pair, node.generators)


def _names(source):
    "Global names that a piece of code uses, and those that it sets."
    # From Python 3.12 on, the variables of [... for x in ...] look as if they were global.
    source = ast.unparse(ast.fix_missing_locations(_Generators().visit(ast.parse(source))))
    used, made = set(), set()

    def visit(table):
        for name in table.get_symbols():
            if table.get_type() != "module" and not name.is_global():
                continue
            if name.is_referenced():
                used.add(name.get_name())
            if name.is_assigned() or name.is_imported():
                made.add(name.get_name())
        for inner in table.get_children():
            visit(inner)

    visit(symtable.symtable(source, "lesson", "exec"))
    return used, made


def _changed(statement):
    "The name whose method a statement calls, or whose part it sets."
    target = (
        statement.value.func
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)
        else getattr(statement, "targets", [None])[0]
    )
    if not isinstance(target, (ast.Attribute, ast.Subscript)):
        return set()
    while isinstance(target, (ast.Attribute, ast.Subscript)):
        target = target.value
    return {target.id} if isinstance(target, ast.Name) else set()


def _is_live(statement):
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Call)
        and getattr(statement.value.func, "id", "") == "live"
    )


def has_live(
    source: str,  # of a code cell
) -> bool:
    "True if a cell shows a live figure."
    try:
        return any(map(_is_live, ast.parse(source).body))
    except SyntaxError:
        return False


def needed(
    path: Path,  # a lesson with a live figure
) -> list:  # pairs of cell id and source of a statement, the last of them the call of `live`; `RuntimeError` if it has none, or needs a data set
    "The statements of a lesson on which its live figure depends, in order."
    statements = []
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type != "code":
            continue
        try:
            body = ast.parse(cell.source).body
        except SyntaxError:
            continue  # the set-up cell, which installs
        for statement in body:
            source = ast.unparse(statement)
            statements.append((cell.id, source, *_names(source), _changed(statement)))
            if _is_live(statement):
                break
        else:
            continue
        break
    else:
        raise RuntimeError(
            f"{path.stem} has no call of live(...). Take it out of GRID in nbs/backstage/frames.ipynb, or put the figure back."
        )
    wanted, before = set(statements[-1][2]), None
    while wanted != before:
        before = set(wanted)
        kept = [entry for entry in statements[:-1] if (entry[3] | entry[4]) & wanted]
        for entry in kept:
            wanted |= entry[2]
    for cell, source, *_ in kept:
        sets = [
            name.name
            for name in getattr(ast.parse(source).body[0], "names", [])
            if "from helpers.data.find " in source and name.name in wanted - {"points"}
        ]
        if sets:
            raise RuntimeError(
                f"The live figure of {path.stem} (cell {statements[-1][0]}) needs the data set {', '.join(sets)} (imported in cell {cell}). Frames are drawn without any: take the lesson out of GRID in nbs/backstage/frames.ipynb."
            )
    return [(cell, source) for cell, source, *_ in [*kept, statements[-1]]]


def recorded(
    path: Path,  # a lesson
) -> dict:  # draw, figure (its size) and controls, as `live` got them
    "Run what a lesson's live figure needs, and note what the figure is made of; `RuntimeError` names the cell that failed."
    found = {}

    def live(draw, cols=1, width=6.5, height=4.2, **controls):
        found.update(
            draw=draw, figure=dict(cols=cols, width=width, height=height), controls=controls
        )

    names = {"__name__": "lesson"}
    for cell, source in (statements := needed(path)):
        if cell == statements[-1][0]:
            names["live"] = live
        try:
            exec(compile(source, f"{path.stem}, cell {cell}", "exec"), names)
        except Exception as error:
            raise RuntimeError(
                f"No frames for {path.stem}: cell {cell} failed with {type(error).__name__}: {error}\n{source}"
            ) from error
    return found


def positions(
    name: str,  # argument that the control sets
    control,  # an ipywidget
    chosen,  # values of a slider, words of a menu's choices, or ... for all of those
) -> list:  # pairs of label and value; `RuntimeError` where the control cannot take a value, or its start is not among them
    "Where a control may stand, with the words it shows there."
    if hasattr(control, "options"):
        pairs = [
            option if isinstance(option, tuple) else (str(option), option)
            for option in control.options
        ]
        words, chosen = (
            [label for label, _ in pairs],
            [label for label, _ in pairs] if chosen is ... else chosen,
        )
        outside = [word for word in chosen if word not in words]
        pairs = [pairs[words.index(word)] for word in chosen if word in words]
    else:
        log = type(control).__name__ == "FloatLogSlider"
        low, high = (
            (control.base**control.min, control.base**control.max)
            if log
            else (control.min, control.max)
        )
        outside = [
            value
            for value in chosen
            if not low - 1e-9 * abs(low) <= value <= high + 1e-9 * abs(high)
        ]
        pairs = [(format(value, control.readout_format), value) for value in chosen]
    if outside:
        raise RuntimeError(
            f"In the lesson, {name} cannot be {outside[0]!r}. Change GRID in nbs/backstage/frames.ipynb."
        )
    if control.value not in [value for _, value in pairs]:
        raise RuntimeError(
            f"{name} starts at {control.value!r} in the lesson; that should be among its positions in GRID (nbs/backstage/frames.ipynb)."
        )
    return pairs


def _packed(png):
    "A picture with few colours in WebP without loss, as text."
    from PIL import Image

    small = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(48, dither=Image.Dither.NONE).convert(
        "RGB"
    ).save(small, "webp", lossless=True, quality=80, method=4)
    return base64.b64encode(small.getvalue()).decode()


def draw_all(
    path: Path,  # a lesson of GRID
) -> dict:  # controls, their start, pictures and, for each combination of positions, number of the picture and its titles
    "Draw a lesson's frames."
    import warnings

    import numpy as np
    from PIL import Image

    from helpers.course.figures import frame

    about, chosen = GRID[path.stem]
    found = recorded(path)
    if unknown := set(chosen) - set(found["controls"]):
        raise RuntimeError(
            f"The figure of {path.stem} has no control {', '.join(sorted(unknown))}, which GRID in nbs/backstage/frames.ipynb names."
        )
    moved = {
        name: positions(name, found["controls"][name], values) for name, values in chosen.items()
    }
    start = {name: control.value for name, control in found["controls"].items()}
    titles, numbers, frames = [], {}, []

    def draw(axes, **values):
        found["draw"](axes, **values)
        titles[:] = [ax.get_title().replace("\n", "; ") for ax in np.ravel(axes)]

    for place in itertools.product(*moved.values()):
        values = start | {name: value for name, (_, value) in zip(moved, place)}
        with warnings.catch_warnings(), np.errstate(all="ignore"):  # paths that explode
            warnings.simplefilter("ignore", RuntimeWarning)
            try:
                png = frame(draw, values, **found["figure"])
            except Exception as error:
                raise RuntimeError(
                    f"No frames for {path.stem}: cell {needed(path)[-1][0]} could not draw {values}: {type(error).__name__}: {error}"
                ) from error
        frames.append((numbers.setdefault(png, len(numbers)), list(titles)))
    telling = len({tuple(title) for _, title in frames}) > 1
    return dict(
        about=about,
        size=Image.open(io.BytesIO(next(iter(numbers)))).size,
        pictures=[_packed(png) for png in numbers],
        frames=[
            (n, "; ".join(filter(None, title)) if telling else "") for n, title in frames
        ],  # titles that never change say nothing
        controls=[
            dict(
                label=found["controls"][name].description,
                kind={"ToggleButtons": "radio", "Dropdown": "select"}.get(
                    type(found["controls"][name]).__name__, "range"
                ),
                labels=[label for label, _ in pairs],
                start=[value for _, value in pairs].index(start[name]),
            )
            for name, pairs in moved.items()
        ],
        fixed=[
            f"{control.description} {control.value:g}"
            if isinstance(control.value, (int, float))
            else f"{control.description} {control.value}"
            for name, control in found["controls"].items()
            if name not in moved
        ],
    )


def _modules(source):
    "Files of the modules in helpers that some code imports, and those that these import."
    files, open_ = set(), [source]
    while open_:
        for node in ast.walk(ast.parse(open_.pop())):
            name = (
                node.module or ""
                if isinstance(node, ast.ImportFrom)
                and (node.level or (node.module or "").startswith("helpers."))
                else ""
            )
            file = ROOT / "helpers" / (name.removeprefix("helpers.").replace(".", "/") + ".py")
            if name and file.is_file() and file not in files:
                files.add(file)
                open_.append(file.read_text(encoding="utf-8"))
    return sorted(files)


def cached(
    path: Path,  # a lesson of GRID
) -> Path:  # of a JSON file, there or not
    "Where a lesson's frames are kept."
    statements = needed(path)
    parts = [
        repr(statements),
        repr(GRID[path.stem]),
        *map(inspect.getsource, (recorded, positions, _packed, draw_all)),
        *map(importlib.metadata.version, ("matplotlib", "pillow")),
    ]
    parts += [
        file.read_text(encoding="utf-8")
        for file in _modules("\n".join(source for _, source in statements))
    ]
    return (
        settings().cache
        / "frames"
        / f"{path.stem}-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:16]}.json"
    )


def stored(
    path: Path,  # a lesson of GRID
) -> dict:  # as from `draw_all`
    "A lesson's frames, drawn if they are not there yet; `RuntimeError` with the cell's error if that fails."
    file = cached(path)
    if not file.is_file():
        done = subprocess.run(
            [sys.executable, "-m", "publish.frames", str(path)],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(
                done.stderr.strip().splitlines()[-1]
                if "RuntimeError" not in done.stderr
                else done.stderr[done.stderr.rindex("RuntimeError") :].strip()
            )
    return json.loads(file.read_text(encoding="utf-8"))


def draw_and_keep(
    path: Path,  # a lesson of GRID
):
    "Draw a lesson's frames into the cache, whole or not at all, and remove older ones."
    file, frames = cached(path), draw_all(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(".tmp")
    unfinished.write_text(json.dumps(frames), encoding="utf-8")
    for older in file.parent.glob(f"{path.stem}-*.json"):
        older.unlink()
    unfinished.replace(file)


class frames_proc(Processor):
    "Put a player of stored frames in place of the live figures of GRID."

    def begin(self):
        path = Path(self.nb.get("path_") or "")
        self.frames = stored(path) if path.stem in GRID else None

    def __call__(self, cell):
        if not self.frames or cell.cell_type != "code" or not has_live(cell.source):
            return
        cell.outputs = [
            nbformat.from_dict(
                dict(
                    output_type="display_data",
                    metadata={},
                    data={"text/html": player(self.frames), "text/plain": "<stored frames>"},
                )
            )
        ]

    def end(self):
        widgets = [
            output
            for cell in self.nb.cells
            for output in cell.get("outputs", [])
            if "application/vnd.jupyter.widget-view+json" in output.get("data", {})
        ]
        if self.frames and not widgets:
            self.nb.metadata.pop("widgets", None)


if __name__ == "__main__":
    for name in sys.argv[1:] or [f"{ROOT}/nbs/{stem}.ipynb" for stem in GRID]:
        draw_and_keep(Path(name))
