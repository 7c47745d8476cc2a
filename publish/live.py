"What a lesson's live figures need, and what they are made of."

import ast
import inspect
import symtable
from dataclasses import dataclass
from pathlib import Path

import nbformat


@dataclass
class Statement:
    "A statement of a lesson's code."

    cell: str  # id of its cell
    source: str
    used: set  # global names that it uses
    sets: set  # names that it sets, or whose parts it changes
    calls_live: bool  # True if it shows a live figure


# --- names


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


def names_of(
    source: str,  # of a statement
) -> tuple:  # global names that it uses, and those that it sets
    "The variables of a comprehension are its own."
    # From Python 3.12 on, the variables of [... for x in ...] look as if they were global.
    tree = _Generators().visit(ast.parse(source))
    source = ast.unparse(ast.fix_missing_locations(tree))
    used = set()
    made = set()

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


def _is_call(statement):
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)


def _changed(statement):
    "The name whose method a statement calls, or whose part it sets."
    if _is_call(statement):
        target = statement.value.func
    elif isinstance(statement, (ast.Assign, ast.Delete)):
        target = statement.targets[0]
    else:
        return set()
    if isinstance(target, ast.Name):
        return set()
    while isinstance(target, (ast.Attribute, ast.Subscript)):
        target = target.value
    return {target.id} if isinstance(target, ast.Name) else set()


# --- the call of `live` and what it depends on


def _is_live(statement):
    return _is_call(statement) and getattr(statement.value.func, "id", "") == "live"


def _body(source):
    "The statements of a cell; none of the set-up cell, which is not Python alone."
    try:
        return ast.parse(source).body
    except SyntaxError:
        return []


def has_live(
    source: str,  # of a code cell
) -> bool:
    "True if a cell shows a live figure."
    return any(_is_live(statement) for statement in _body(source))


def statements_of(
    path: Path,  # a lesson
) -> list:  # of `Statement`, in order
    "The statements of a lesson."
    statements = []
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type != "code":
            continue
        for statement in _body(cell.source):
            source = ast.unparse(statement)
            used, made = names_of(source)
            changed = made | _changed(statement)
            statements.append(Statement(cell.id, source, used, changed, _is_live(statement)))
    return statements


def until_live(
    statements: list,  # of a lesson
) -> list:  # those up to the last call of `live`; none where there is none
    "What runs before a lesson's live figures are there."
    while statements and not statements[-1].calls_live:
        statements = statements[:-1]
    return statements


def dependencies(
    statements: list,  # some of them call `live`
) -> tuple:  # those that the calls depend on, the calls among them; and the names these use
    "What live figures are made of."
    names = set()
    for call in statements:
        if call.calls_live:
            names |= call.used
    count = -1
    while len(names) > count:
        count = len(names)
        used = [it for it in statements if it.calls_live or it.sets & names]
        for statement in used:
            names |= statement.used
    return used, names


def _data_sets(statement, names):
    "Which of some names a statement imports from a module of data."
    [node] = ast.parse(statement.source).body
    if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("helpers.data"):
        return []
    return [alias.name for alias in node.names if alias.name in names]


def needed(
    path: Path,  # a lesson with live figures
) -> list:  # of `Statement`, in order; some call `live`, the last of them too
    "What a lesson's live figures depend on; `RuntimeError` if there is none, or one needs data."
    statements = until_live(statements_of(path))
    if not statements:
        raise RuntimeError(
            f"{path.stem} has no call of live(...). Take it out of GRID in publish/frames.py, or "
            "put the figure back."
        )
    used, names = dependencies(statements)
    for statement in used:
        data = _data_sets(statement, names)
        if data:
            raise RuntimeError(
                f"The live figures of {path.stem} (the last in cell {used[-1].cell}) need the data "
                f"set {', '.join(data)} (imported in cell {statement.cell}). Frames are drawn "
                "without any: take the lesson out of GRID in publish/frames.py."
            )
    return used


@dataclass
class Figure:
    "What a call of `live` was given."

    cell: str  # id of the cell that shows it
    draw: callable
    size: dict  # cols, width and height
    controls: dict  # name to ipywidget

    def start(self) -> dict:  # name to value
        "Where the controls stand at first."
        return {name: control.value for name, control in self.controls.items()}


def recorded(
    path: Path,  # a lesson
) -> list:  # of `Figure`, in order
    "Run what a lesson's live figures need; `RuntimeError` names the cell that failed."
    from helpers.course import figures as course

    signature = inspect.signature(course.live)
    figures = []

    def live(*args, **kwargs):
        call = signature.bind(*args, **kwargs)
        call.apply_defaults()
        given = call.arguments
        size = {name: given[name] for name in ("cols", "width", "height")}
        figures.append(Figure(statement.cell, given["draw"], size, given["controls"]))

    names = {"__name__": "lesson"}
    for statement in needed(path):
        if statement.calls_live:
            names["live"] = live
        code = f"{path.stem}, cell {statement.cell}"
        try:
            exec(compile(statement.source, code, "exec"), names)
        except Exception as error:
            raise RuntimeError(
                f"No frames for {path.stem}: cell {statement.cell} failed with "
                f"{type(error).__name__}: {error}\n{statement.source}"
            ) from error
    return figures
