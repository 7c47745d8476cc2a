"Each lesson as a single notebook that Kaggle and Colab can run with no clone, no package index and no network; copies for classes; flashcards."

import ast
import base64
import csv
import html
import importlib.metadata
import importlib.util
import inspect
import io
import json
import re
from pathlib import Path

import nbformat

from publish.lessons import ROOT, address, is_set_up, lessons, pyproject, write_folder

MOST = 900_000  # bytes of a single-file copy: Kaggle takes less than a megabyte


def imported(
    source: str,  # Python
    package: str = "",  # in which relative imports are resolved
) -> set:  # pairs: module, and the name taken from it or ''
    "Everything that a source text imports."
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {(alias.name, "") for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            module = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            found |= {(module, alias.name) for alias in node.names}
    return found


def _text(path):
    return Path(path).read_text(encoding="utf-8")  # line ends become \n on every system


def _file(module):
    "File of a module of the course, relative to the project's folder; None for any other."
    path = ROOT / module.replace(".", "/")
    for file in (path / "__init__.py", path.with_suffix(".py")):
        if module.split(".")[0] == "helpers" and file.is_file():
            return file.relative_to(ROOT).as_posix()


def _elsewhere():
    "Which functions `helpers.data.find` loads from which other modules."
    assigned = [
        node
        for node in ast.parse(_text(ROOT / "helpers/data.py")).body
        if isinstance(node, ast.Assign)
    ]
    return next(
        ast.literal_eval(node.value) for node in assigned if node.targets[0].id == "_ELSEWHERE"
    )


def closure(
    source: str,  # of a lesson's code cells
    modules: tuple = (),  # modules that are wanted besides
) -> list:  # file names from the project's folder, sorted
    "The course's modules that a source text needs, and those that they need."
    elsewhere = {
        f"helpers.data.find.{name}": f"helpers.{module}" for name, module in _elsewhere().items()
    }
    asked = lambda found: [
        elsewhere.get(name, name)
        for module, taken in found
        for name in (module, f"{module}.{taken}")
    ]
    names, wanted = set(), [*modules, *asked(imported(source))]
    while wanted:
        module = wanted.pop()
        if not (file := _file(module)) or file in names:
            continue
        names.add(file)
        package = module if file.endswith("__init__.py") else module.rpartition(".")[0]
        wanted += [package, *asked(imported(_text(ROOT / file), package))]
    return sorted(names)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def carried(
    notebook,  # a lesson
    lesson: str,  # its number, for instance '01'
) -> dict:  # file name to text
    "The files that a lesson's single-file copy holds."
    source = "\n".join(cell.source for cell in code(notebook) if not is_set_up(cell))
    names = closure(source, (f"helpers.course.checks.lesson{lesson}",))
    names += [
        f"data/quiz/{lesson}.json",
        "settings.ini",
        *(
            path.relative_to(ROOT).as_posix()
            for path in (ROOT / "data").glob("*.csv")
            if path.name in source
        ),
    ]
    quiz = {
        file.as_posix(): file
        for file in importlib.metadata.files("jupyterquiz")
        if file.parts[0] == "jupyterquiz" and file.suffix != ".pyc"
    }
    quiz["jupyterquiz/LICENSE"] = next(
        file for file in importlib.metadata.files("jupyterquiz") if file.name == "LICENSE"
    )
    return {name: _text(ROOT / name) for name in sorted(names)} | {
        name: _text(file.locate()) for name, file in sorted(quiz.items())
    }


OPTIONAL = (
    "accelerate",
    "kagglehub",
    "pooch",
)  # without them: single precision, no download of the rice photographs, no download of other data
_DISTRIBUTION = {"sklearn": "scikit-learn"}  # where the import has another name


def needed(
    sources: list,  # Python texts
) -> dict:  # distribution to its lowest version, '' where any will do
    "What has to be installed where these texts run."
    tops = {
        module.split(".")[0]
        for source in sources
        for module, _ in imported(source, "helpers.course.checks")
    }
    tops = {_DISTRIBUTION.get(name, name) for name in tops}
    bounds = dict(
        re.fullmatch(r"([\w-]+)(?:>=([\d.]+))?", line).groups("")
        for line in pyproject()["project"]["dependencies"]
    )
    return {
        name: least
        for name, least in sorted(bounds.items())
        if name in tops and name not in OPTIONAL
    }


def unpack(
    files: dict,  # name to text
    needs: dict,  # distribution to its lowest version
):
    "Write the course's files into a folder of their own, make it the first place to import from, and say whether all is well."
    import importlib
    import os
    import re
    import sys
    import tempfile
    from importlib.metadata import PackageNotFoundError, version
    from pathlib import Path

    name = "whats-inside-a-neural-net"

    def write(folder):
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()  # an error where nothing can be written
        changed = []
        for file, text in files.items():
            path = folder / file
            if path.is_file() and (file == "settings.ini" or path.read_bytes() == text.encode()):
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
            changed.append(file)
        return changed

    for folder in [
        Path.cwd() / name,
        *(Path(place) for place in sys.path if Path(place).name == name),
        None,
    ]:
        folder = folder or Path(tempfile.mkdtemp()) / name
        try:
            changed = write(folder)
        except OSError as error:
            reason = error
        else:
            break
    else:
        raise OSError(f"The course's files could be written nowhere: {reason}")
    sys.path[:] = [str(folder), *(place for place in sys.path if place != str(folder))]
    importlib.invalidate_caches()
    loaded = getattr(sys.modules.get("helpers"), "__file__", None)
    if (
        changed or not loaded or Path(loaded).parent.parent != folder
    ):  # it is another one, or of another day
        for module in [module for module in sys.modules if module.split(".")[0] == "helpers"]:
            del sys.modules[module]
    if not os.access(os.path.expanduser("~"), os.W_OK):
        os.environ.setdefault(
            "MPLCONFIGDIR", str(folder / "data" / "cache" / "matplotlib")
        )  # it would complain
    number = lambda text: [int(part) for part in re.findall(r"\d+", text)[:3]]
    faults, remedies = [], []
    for package, least in needs.items():
        try:
            here = version(package)
        except PackageNotFoundError:
            faults.append(f"{package} (missing)")
        else:
            if number(here) >= number(least):
                continue
            faults.append(f"{package} ({here}, {least} is needed)")
        remedies.append(f'"{package}>={least}"' if least else package)
    old = [fault.split()[0] for fault in faults]
    if "fastai" in needs and "fastai" not in old:  # github.com/fastai/fastai/issues/4154
        fastai, fastcore = version("fastai"), version("fastcore")  # which it requires
        if number(fastai) < [2, 8, 8] and number(fastcore) >= [2]:
            faults.append(f"fastai ({fastai} does not go with fastcore {fastcore})")
            remedies.append('"fastai>=2.8.8"')
    if faults:
        print(
            f"Too old or missing here: {', '.join(faults)}. Remedy: %pip install --upgrade {' '.join(remedies)} in a new cell "
            "(on Kaggle, switch Internet on for it, or choose the latest environment), then restart the kernel."
        )
    else:
        modules = sum(file.startswith("helpers/") and file.endswith(".py") for file in files)
        print(
            f"The course's package is here, in {name if folder.parent == Path.cwd() else folder}: {modules} modules, versions fit."
        )


def _quoted(text):
    "A raw string literal of a text."
    for quotes in ("'''", '"""'):
        literal = f"r{quotes}{text}{quotes}"
        try:
            if ast.literal_eval(literal) == text:
                return literal
        except (SyntaxError, ValueError):
            pass
    raise ValueError(
        f"A file holds both kinds of triple quotes, or ends in one, and cannot stand in a raw string: {text[:60]!r} …"
    )


def folded(
    files: dict,  # name to text
    needs: dict,  # distribution to its lowest version
) -> str:  # source of a code cell
    "The cell that carries the course's package."
    return "\n".join(
        [
            '#@title The course\'s package travels in this folded cell: run it, then go on. {display-mode: "form"}',
            f"# Made from {address()}, where its notebooks are; not to be edited here.",
            "# Code: Apache License 2.0. Questions: CC BY 4.0. jupyterquiz: MIT License, by John M. Shea; its notice is among the files.",
            "course_files = {}",
            *(f"\ncourse_files[{name!r}] = {_quoted(text)}" for name, text in files.items()),
            "\n",
            inspect.getsource(unpack),
            "",
            f"unpack(course_files, {needs})",
            "del course_files, unpack",
        ]
    )


def bundle(
    path: Path,  # of a lesson
):  # the notebook
    "A lesson as one file: as it stands, with the folded cell in place of the one that installs the package."
    notebook = nbformat.read(path, as_version=4)
    [set_up] = [cell for cell in notebook.cells if is_set_up(cell)]
    files = carried(notebook, path.name[:2])
    sources = [text for name, text in files.items() if name.startswith("helpers/")] + [
        cell.source for cell in code(notebook) if cell is not set_up
    ]
    set_up.source = folded(files, needed(sources))
    set_up.metadata = nbformat.from_dict(
        {"jupyter": {"source_hidden": True}, "cellView": "form", "_kg_hide-input": True}
    )  # folded in JupyterLab, Colab, Kaggle
    shrink(notebook)
    return notebook


LEFT_OUT = (
    "The stored picture is left out here, to keep the file small enough for Kaggle. "
    "Run this cell to see it."
)


def pictures(notebook) -> list:  # outputs that hold a picture, the largest first
    "The pictures that are stored in a notebook."
    outputs = []
    for cell in code(notebook):
        outputs += [output for output in cell.outputs if "image/png" in output.get("data", {})]
    return sorted(outputs, key=lambda output: len(output.data["image/png"]), reverse=True)


def fewer_colors(output):
    "Store a picture with 256 colors; it stays as it is if it is transparent, or would grow."
    from PIL import Image

    stored = output.data["image/png"]
    picture = Image.open(io.BytesIO(base64.b64decode(stored))).convert("RGBA")
    least_opaque, _ = picture.getchannel("A").getextrema()
    if least_opaque < 255:
        return
    file = io.BytesIO()
    picture.convert("RGB").quantize(256).save(file, "PNG", optimize=True)
    smaller = base64.b64encode(file.getvalue()).decode()
    output.data["image/png"] = min(stored, smaller, key=len)


def leave_out(output):
    "Put a sentence in a picture's place."
    output.data = nbformat.from_dict({"text/plain": LEFT_OUT})


def shrink(notebook):
    "Make pictures smaller until a notebook has at most `MOST` bytes; then leave some out."
    for change in (fewer_colors, leave_out):
        for output in pictures(notebook):
            if len(_bytes(notebook)) <= MOST:
                return
            change(output)
    size = len(_bytes(notebook))
    if size > MOST:
        raise ValueError(
            f"Without any picture this copy still has {size:,} bytes, and {MOST:,} are "
            "allowed. Print less in the lesson, or split it."
        )


def strip(notebook):
    "Take outputs, execution counts and the state of widgets out of a notebook."
    notebook.metadata.pop("widgets", None)
    for cell in code(notebook):
        cell.outputs, cell.execution_count = [], None
    return notebook


def _bytes(notebook):
    nbformat.validate(notebook)
    return (
        nbformat.writes(notebook, split_lines=False) + "\n"
    ).encode()  # a cell's source as one string: a twentieth smaller


def clean(
    path: Path,  # of a lesson
):  # the notebook
    "A lesson without outputs, solutions, quiz answers and the buttons."
    notebook = strip(nbformat.read(path, as_version=4))
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            continue
        if cell.source.startswith("[Open in Colab]"):
            cell.source = ""
        cell.source = re.sub(
            r"\s*<details><summary>(Solution|Answer to \d+)</summary>.*?</details>",
            "",
            cell.source,
            flags=re.S,
        )
        cell.source = re.sub(
            r"<details><summary>(The same questions on paper), answers folded</summary>(.*)</details>",
            r"\1:\2",
            cell.source,
            flags=re.S,
        ).strip()
    notebook.cells = [cell for cell in notebook.cells if cell.source]
    return notebook


def flashcards(
    quizzes: dict,  # lesson to its questions, as in `data/quiz`
) -> str:  # text of a CSV file for Anki
    "Every question as a card: choices in front, the answer with its reasons on the back."
    shown = lambda text: html.escape(text, quote=False).replace("\n", "<br>")
    listed = lambda items: "<ul>" + "".join(f"<li>{item}</li>" for item in items) + "</ul>"
    lines = io.StringIO()
    rows = csv.writer(lines, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for lesson, questions in quizzes.items():
        for asked in questions:
            right, wrong = [
                [choice for choice in asked["answers"] if choice["correct"] == kind]
                for kind in (True, False)
            ]
            front = shown(asked["question"]) + listed(
                shown(choice["answer"]) for choice in asked["answers"]
            )
            back = "<br>".join(
                f"<b>{shown(choice['answer'])}</b><br>{shown(choice['feedback'])}"
                for choice in right
            ) + listed(
                f"{shown(choice['answer'])}: no. {shown(choice['feedback'])}" for choice in wrong
            )
            rows.writerow([front, back, f"whats-inside-a-neural-net::{lesson}"])
    return f"#separator:Comma\n#html:true\n#notetype:Basic\n#deck:{pyproject()['tool']['nbdev']['title']}\n#columns:Front,Back,Tags\n#tags column:3\n{lines.getvalue()}"


def copies() -> dict:  # file name to bytes
    "The single-file copies of all lessons, and the flashcards."
    quizzes = {
        path.stem: json.loads(_text(ROOT / f"data/quiz/{path.name[:2]}.json")) for path in lessons()
    }
    return {path.name: _bytes(bundle(path)) for path in lessons()} | {
        "flashcards.csv": flashcards(quizzes).encode()
    }


def write(
    folder: Path,  # made if it is not there; a file of somebody else's in it stays
    contents: dict,  # file name to bytes
):
    "Write a set of files and print their sizes."
    changed = write_folder(folder, contents)
    for name, content in contents.items():
        if name not in changed:
            print(f"{folder.name}/{name}: {len(content) / 1e6:.2f} MB")


def main(arguments):
    "Entry point of `make bundle` and `make clean-copies`."
    if arguments == ["clean"]:
        write(ROOT / "_clean", {path.name: _bytes(clean(path)) for path in lessons()})
    else:
        write(ROOT / "_bundles", copies())
    return 0
