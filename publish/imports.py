"Which modules of the course a piece of code needs."

import ast
import importlib.util
from pathlib import Path

from publish.lessons import ROOT


def imported(
    source: str,  # Python
    package: str = "",  # in which relative imports are resolved
) -> set:  # pairs: module, and the name taken from it or ''
    "Everything that a source text imports."
    pairs = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                pairs.add((alias.name, ""))
        if isinstance(node, ast.ImportFrom):
            relative = "." * node.level + (node.module or "")
            module = importlib.util.resolve_name(relative, package)
            for alias in node.names:
                pairs.add((module, alias.name))
    return pairs


def read_text(path) -> str:
    "A file's text; line ends become \\n on every system."
    return Path(path).read_text(encoding="utf-8")


def _file(module):
    "File of a module of the course, relative to the project's folder; None for any other."
    if module.split(".")[0] != "helpers":
        return None
    path = ROOT / module.replace(".", "/")
    for file in (path / "__init__.py", path.with_suffix(".py")):
        if file.is_file():
            return file.relative_to(ROOT).as_posix()
    return None


def _modules(source, package=""):
    "Names that may be modules: what is imported, and what that lies in."
    names = set()
    for module, name in imported(source, package):
        names.update((module, f"{module}.{name}"))
    for name in list(names):
        while "." in name:
            name = name.rpartition(".")[0]
            names.add(name)
    return names


def closure(
    source: str,  # of code cells
) -> list:  # file names from the project's folder, sorted
    "The course's modules that a source text needs, and those that they need."
    files = set()
    queue = _modules(source)
    while queue:
        module = queue.pop()
        file = _file(module)
        if file is None or file in files:
            continue
        files.add(file)
        package = module if file.endswith("__init__.py") else module.rpartition(".")[0]
        queue |= _modules(read_text(ROOT / file), package)
    return sorted(files)
