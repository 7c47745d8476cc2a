"""Each lesson as a single notebook that Kaggle and Colab can run; copies for classes; flashcards.

A single file needs no clone, no package index and no network: it carries the course's modules."""

import ast
import base64
import csv
import html
import importlib.metadata
import inspect
import io
import json
import re
from pathlib import Path

import nbformat

from publish.imports import closure, imported, read_text
from publish.lessons import (
    ROOT,
    address,
    is_buttons,
    is_set_up,
    lessons,
    pyproject,
    single_files,
    write_folder,
)
from publish.links import make_public
from publish.options import name_pictures

MOST = 970_000  # bytes of a single-file copy: Kaggle takes less than a megabyte


def code(notebook) -> list:
    "The code cells of a notebook."
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


# --- what a lesson needs


def _quiz_files():
    "The files of jupyterquiz, its licence among them: name to path."
    files = {}
    for file in importlib.metadata.files("jupyterquiz"):
        if file.parts[0] == "jupyterquiz" and file.suffix != ".pyc":
            files[file.as_posix()] = file.locate()
        elif file.name == "LICENSE":
            files["jupyterquiz/LICENSE"] = file.locate()
    return files


def carried(
    notebook,  # a lesson, or a notebook of the appendix
    lesson: str = "",  # the lesson's number, for instance '01'
) -> dict:  # file name to text
    "The files that a single-file copy holds."
    source = "\n".join(cell.source for cell in code(notebook) if not is_set_up(cell))
    names = ["settings.ini"]
    if lesson:
        source += f"\nimport helpers.course.checks.lesson{lesson}"
        names.append(f"data/quiz/{lesson}.json")
    names += closure(source)
    for path in (ROOT / "data").glob("*.csv"):
        if path.name in source:
            names.append(path.relative_to(ROOT).as_posix())
    files = {name: read_text(ROOT / name) for name in sorted(names)}
    if lesson:
        for name, path in sorted(_quiz_files().items()):
            files[name] = read_text(path)
    return files


# Without them: single precision, no download of the rice photographs, none of other data.
OPTIONAL = ("accelerate", "kagglehub", "pooch")
_DISTRIBUTION = {"sklearn": "scikit-learn"}  # where the import has another name


def needed(
    sources: list,  # Python texts
) -> dict:  # distribution to its lowest version, '' where any will do
    "What has to be installed where these texts run."
    names = set()
    for source in sources:
        for module, _ in imported(source, "helpers.course.checks"):
            top = module.split(".")[0]
            names.add(_DISTRIBUTION.get(top, top))
    needs = {}
    for line in sorted(pyproject()["project"]["dependencies"]):
        name, least = re.fullmatch(r"([\w-]+)(?:>=([\d.]+))?", line).groups("")
        if name in names and name not in OPTIONAL:
            needs[name] = least
    return needs


# --- the cell that carries it


def unpack(
    files: dict,  # name to text
    needs: dict,  # distribution to its lowest version
):
    """Write the course's files into a folder of their own, and import from there first.

    Then say whether all is well: what is too old or missing here, and the remedy."""
    import importlib
    import os
    import re
    import sys
    import tempfile
    from importlib.metadata import PackageNotFoundError, version
    from pathlib import Path

    name = "whats-inside-a-neural-net"

    def write(folder):
        "Write what is not there yet; the names of what was written."
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()  # an error where nothing can be written
        written = []
        for file, text in files.items():
            path = folder / file
            if path.is_file():
                same = path.read_bytes() == text.encode()
                if same or file == "settings.ini":  # the learner's own stay
                    continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
            written.append(file)
        return written

    def write_somewhere():
        "The first folder that takes the files: here, that of the last time, a temporary one."
        folders = [Path.cwd() / name]
        folders += [Path(entry) for entry in sys.path if Path(entry).name == name]
        for folder in folders:
            try:
                return folder, write(folder)
            except OSError:
                pass
        try:
            folder = Path(tempfile.mkdtemp()) / name
            return folder, write(folder)
        except OSError as error:
            raise OSError(f"The course's files could be written nowhere: {error}") from None

    def import_from(folder, written):
        "Make a folder the first place to import from; forget another package of that name."
        sys.path[:] = [str(folder)] + [entry for entry in sys.path if entry != str(folder)]
        importlib.invalidate_caches()
        loaded = getattr(sys.modules.get("helpers"), "__file__", None)
        if loaded and Path(loaded).parent.parent == folder and not written:
            return
        for module in list(sys.modules):
            if module.split(".")[0] == "helpers":
                del sys.modules[module]

    def number(text):
        return [int(part) for part in re.findall(r"\d+", text)[:3]]

    def faults():
        "What is too old or missing, in words, to what has to be installed instead."
        remedies = {}
        for package, least in needs.items():
            wish = f'"{package}>={least}"' if least else package
            try:
                there = version(package)
            except PackageNotFoundError:
                remedies[f"{package} (missing)"] = wish
                continue
            if number(there) < number(least):
                remedies[f"{package} ({there}, {least} is needed)"] = wish
        unfit = [fault.split()[0] for fault in remedies]
        if "fastai" in needs and "fastai" not in unfit:  # github.com/fastai/fastai/issues/4154
            fastai, fastcore = version("fastai"), version("fastcore")
            if number(fastai) < [2, 8, 8] and number(fastcore) >= [2]:
                fault = f"fastai ({fastai} does not go with fastcore {fastcore})"
                remedies[fault] = '"fastai>=2.8.8"'
        return remedies

    folder, written = write_somewhere()
    import_from(folder, written)
    if not os.access(os.path.expanduser("~"), os.W_OK):  # else matplotlib would complain
        os.environ.setdefault("MPLCONFIGDIR", str(folder / "data" / "cache" / "matplotlib"))
    remedies = faults()
    if remedies:
        print(
            f"Too old or missing here: {', '.join(remedies)}. "
            f"Remedy: %pip install --upgrade {' '.join(remedies.values())} in a new cell "
            "(on Kaggle, switch Internet on for it, or choose the latest environment), "
            "then restart the kernel."
        )
    else:
        modules = [file for file in files if re.fullmatch(r"helpers/.*\.py", file)]
        where = name if folder.parent == Path.cwd() else folder
        print(f"The course's package is here, in {where}: {len(modules)} modules, versions fit.")


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
        "A file holds both kinds of triple quotes, or ends in one, and cannot stand in a raw "
        f"string: {text[:60]!r} …"
    )


FOLDED = """\
#@title The course's package travels in this folded cell: run it, then go on. \
{{display-mode: "form"}}
# Made from {address}, where its notebooks are; not to be edited here.
# Code: Apache License 2.0. Questions: CC BY 4.0.
# jupyterquiz: MIT License, by John M. Shea; its notice is among the files.
course_files = {{}}
{files}


{unpack}

unpack(course_files, {needs})
del course_files, unpack"""


def folded(
    files: dict,  # name to text
    needs: dict,  # distribution to its lowest version
) -> str:  # source of a code cell
    "The cell that carries the course's package."
    lines = [f"\ncourse_files[{name!r}] = {_quoted(text)}" for name, text in files.items()]
    return FOLDED.format(
        address=address(),
        files="\n".join(lines),
        unpack=inspect.getsource(unpack),
        needs=needs,
    )


# Folded in JupyterLab, Colab, Kaggle.
HIDDEN = {"jupyter": {"source_hidden": True}, "cellView": "form", "_kg_hide-input": True}


def bundle(
    path: Path,  # of a lesson, or of a notebook of the appendix
):  # the notebook
    """A lesson as one file.

    It is as it stands, with the folded cell in place of the one that installs the package."""
    notebook = nbformat.read(path, as_version=4)
    [set_up] = [cell for cell in notebook.cells if is_set_up(cell)]
    files = carried(notebook, path.name[:2] if path in lessons() else "")
    sources = [cell.source for cell in code(notebook) if cell is not set_up]
    sources += [text for name, text in files.items() if name.startswith("helpers/")]
    set_up.source = folded(files, needed(sources))
    set_up.metadata = nbformat.from_dict(HIDDEN)
    name_pictures(notebook)
    make_public(notebook, path)
    shrink(notebook)
    return notebook


# --- its size

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
    output.metadata.pop("image/png", None)


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


def _bytes(notebook):
    "A notebook as the bytes of a file; a cell's source as one string is a twentieth smaller."
    nbformat.validate(notebook)
    return (nbformat.writes(notebook, split_lines=False) + "\n").encode()


# --- copies for classes


def strip(notebook):
    "Take outputs, execution counts and the state of widgets out of a notebook."
    notebook.metadata.pop("widgets", None)
    for cell in code(notebook):
        cell.outputs = []
        cell.execution_count = None
    return notebook


ANSWER = re.compile(
    r"\s*<details><summary>(Solution|Answer to \d+)</summary>.*?</details>", re.DOTALL
)
ON_PAPER = re.compile(
    r"<details><summary>(The same questions on paper), answers folded</summary>(.*)</details>",
    re.DOTALL,
)


def clean(
    path: Path,  # of a lesson
):  # the notebook
    "A lesson without outputs, solutions, quiz answers and the buttons; the ways stay."
    notebook = strip(nbformat.read(path, as_version=4))
    cells = []
    for cell in notebook.cells:
        if is_buttons(cell):
            cell.source = cell.source.partition("\n\n")[0]
        if cell.cell_type == "markdown":
            text = ANSWER.sub("", cell.source)
            cell.source = ON_PAPER.sub(r"\1:\2", text).strip()
        if cell.source:
            cells.append(cell)
    notebook.cells = cells
    return notebook


# --- flashcards


def _shown(text):
    return html.escape(text, quote=False).replace("\n", "<br>")


def _listed(items):
    return "<ul>" + "".join(f"<li>{item}</li>" for item in items) + "</ul>"


def _card(question):
    "Front and back of a question, as HTML."
    front = _shown(question["question"])
    front += _listed(_shown(choice["answer"]) for choice in question["answers"])
    right = []
    wrong = []
    for choice in question["answers"]:
        answer = _shown(choice["answer"])
        feedback = _shown(choice["feedback"])
        if choice["correct"]:
            right.append(f"<b>{answer}</b><br>{feedback}")
        else:
            wrong.append(f"{answer}: no. {feedback}")
    return front, "<br>".join(right) + _listed(wrong)


def flashcards(
    quizzes: dict,  # lesson to its questions, as in `data/quiz`
) -> str:  # text of a CSV file for Anki
    "Every question as a card: choices in front, the answer with its reasons on the back."
    lines = [
        "#separator:Comma",
        "#html:true",
        "#notetype:Basic",
        f"#deck:{pyproject()['tool']['nbdev']['title']}",
        "#columns:Front,Back,Tags",
        "#tags column:3",
    ]
    file = io.StringIO()
    rows = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for lesson, questions in quizzes.items():
        for question in questions:
            front, back = _card(question)
            rows.writerow([front, back, f"whats-inside-a-neural-net::{lesson}"])
    return "\n".join([*lines, file.getvalue()])


# --- writing them


def copies() -> dict:  # file name to bytes
    "The single-file copies of lessons and appendix, and the flashcards."
    files = {path.name: _bytes(bundle(path)) for path in single_files()}
    quizzes = {}
    for path in lessons():
        quizzes[path.stem] = json.loads(read_text(ROOT / f"data/quiz/{path.name[:2]}.json"))
    files["flashcards.csv"] = flashcards(quizzes).encode()
    return files


def write(
    folder: Path,  # made if it is not there; a file of somebody else's in it stays
    contents: dict,  # file name to bytes
):
    "Write a set of files and print their sizes."
    changed = write_folder(folder, contents)
    for name, content in contents.items():
        if name not in changed:
            print(f"{folder.name}/{name}: {len(content) / 1e6:.2f} MB")


def write_bundles():
    "What `python -m publish bundle` does."
    write(ROOT / "_bundles", copies())


def write_clean_copies():
    "What `python -m publish clean` does."
    write(ROOT / "_clean", {path.name: _bytes(clean(path)) for path in lessons()})
