"Which notebooks there are, running them, and what stands in each: buttons and the set-up cell."

import hashlib
import os
import re
import sys
import time
from pathlib import Path

import nbformat

import helpers
from helpers.course.files import replacing

ROOT = Path(helpers.__file__).resolve().parent.parent


# --- which notebooks there are


def lessons(
    pattern: str = "",  # only notebooks whose name contains this
) -> list:  # paths of the numbered notebooks, in order
    "The lessons of the course."
    paths = sorted((ROOT / "nbs").glob("[0-9][0-9]_*.ipynb"))
    return [path for path in paths if pattern in path.name]


def appendix() -> list:  # paths of notebooks, in order
    "What belongs to no lesson: it has buttons and a set-up cell, but neither exercises nor a quiz."
    return sorted((ROOT / "nbs" / "appendix").glob("*.ipynb"))


def single_files() -> list:  # paths of notebooks, in order
    "The notebooks that readers may also take alone, as a single file: lessons and appendix."
    return lessons() + appendix()


# --- running them


def execute(
    path: Path,  # a notebook
    timeout: int = 600,  # seconds for one cell
) -> tuple:  # the executed notebook, and the seconds it took
    """Run a notebook from top to bottom in its own folder; the file is left as it is.

    `CellExecutionError` if a cell fails."""
    from nbclient import NotebookClient

    start = time.time()
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name="python3",
        extra_arguments=["--IPKernelApp.log_level=40"],
        resources={"metadata": {"path": str(Path(path).parent)}},
    )
    # A thread that waits should soon leave its core to others.
    variables = {"GOMP_SPINCOUNT": "10000", **os.environ, "HELPERS_QUIET": "1"}
    client.execute(env=variables)
    return notebook, time.time() - start


def printed(
    notebook,  # an executed notebook
) -> str:
    "Everything that a notebook printed or displayed as text."
    texts = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            texts.append(output.get("text") or output.get("data", {}).get("text/plain", ""))
    return "\n".join(texts)


DATA = re.compile(
    r"^(MNIST|MovieLens [\w-]+|Adult|Rossmann|Paddy Doctor|stand-in \w+): \d", re.MULTILINE
)


def _summary(notebook):
    "What a run says of itself: data, solved exercises, verdicts."
    text = printed(notebook)
    data = dict.fromkeys(DATA.findall(text))
    solved = re.search(r"(\d+ of \d+) exercises solved so far", text)
    verdicts = []
    for words in ("holds", "in part", "does not hold", "not shown"):
        count = len(re.findall(rf"  {words}  ", text))
        if count:
            verdicts.append(f"{count} {words}")
    return {
        "data": ", ".join(data) or "made in the lesson",
        "exercises solved": solved[1] if solved else "",
        "then and now": ", ".join(verdicts),
    }


def run_lessons(
    pattern: str = "",  # only lessons whose name contains this
) -> bool:  # True if all of them ran
    """Run the lessons with the learner's settings and print a table.

    A lesson that fails is named, and the others go on."""
    import pandas as pd

    rows = []
    all_ran = True
    for path in lessons(pattern):
        print(f"running {path.stem} …", file=sys.stderr)
        row = {"lesson": path.stem}
        try:
            notebook, seconds = execute(path)
        except Exception as error:
            all_ran = False
            row["then and now"] = f"failed: {str(error).strip().splitlines()[-1]}"
        else:
            row["seconds"] = f"{seconds:.0f}"
            row.update(_summary(notebook))
        rows.append(row)
    columns = ["lesson", "data", "seconds", "exercises solved", "then and now"]
    table = pd.DataFrame(rows, columns=columns).fillna("")
    print(table.to_string(index=False))
    return all_ran


# --- the project's address, the buttons


def pyproject() -> dict:
    "What `pyproject.toml` says."
    try:
        import tomllib
    except ImportError:  # Python 3.10
        import tomli as tomllib
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def address() -> str:
    "The project's public address, from `[project.urls]` in `pyproject.toml`."
    return pyproject()["project"]["urls"]["Repository"].rstrip("/")


BUNDLES = "bundles"  # the branch where the single-file copies are published: `publish.bundle`
FIRST_BUTTON = "[Open in Colab]"


def colab(
    name: str,  # file name of the notebook
) -> str:
    "The address that opens a notebook's single-file copy in Colab."
    owner = address().removeprefix("https://github.com/")
    return f"https://colab.research.google.com/github/{owner}/blob/{BUNDLES}/{name}"


def buttons(
    name: str,  # file name of the notebook
) -> str:  # Markdown
    "Links that open a notebook's single-file copy in Colab or Kaggle, or download it."
    project = address()
    kaggle = f"https://kaggle.com/kernels/welcome?src={project}/blob/{BUNDLES}/{name}"
    download = f"{project}/raw/{BUNDLES}/{name}"
    return f"{FIRST_BUTTON}({colab(name)}) | [Open in Kaggle]({kaggle}) | [Download]({download})"


def is_buttons(
    cell,  # of a notebook
) -> bool:
    "True for the cell with the ways to other lessons and the buttons."
    return cell.cell_type == "markdown" and FIRST_BUTTON in cell.source


# --- the set-up cell

SET_UP = """# On Kaggle or Colab this fetches the course's package; elsewhere it does nothing.
import importlib.util
import sys


def course_found():
    try:
        return importlib.util.find_spec("helpers.course.exercises") is not None
    except Exception:  # there is no package helpers, or it is somebody else's
        return False


if not course_found():
    sys.modules.pop("helpers", None)
    %pip install --quiet "git+{address}"
    importlib.invalidate_caches()
    if not course_found():
        raise RuntimeError(
            "The course's package could not be fetched, or another one named helpers "
            "hides it. Take this lesson's single file instead, which needs no network: "
            "Download, above."
        )"""


def set_up() -> str:  # source of a code cell
    "The cell that fetches the course's package where it is not."
    return SET_UP.format(address=address())


def is_set_up(
    cell,  # of a notebook
) -> bool:
    "True for the cell that fetches the course's package."
    return cell.cell_type == "code" and "%pip install" in cell.source and "git+" in cell.source


# --- folders that are made

WRITTEN = ".written"  # the list of what was made: a digest and a name in each line


def _digest(content):
    return hashlib.sha256(content).hexdigest()


def _write(path, content):
    "Write a file whole, or not at all."
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as unfinished:
        unfinished.write_bytes(content)


def _read_list(path):
    "The entries (digest, name) of a list; none where it is missing or damaged."
    if not path.is_file():
        return set()
    text = path.read_text(encoding="utf-8", errors="replace")
    return set(re.findall(r"^(\w{64})  (.+)$", text, re.MULTILINE))


def _write_list(path, entries):
    lines = [f"{digest}  {name}\n" for digest, name in sorted(entries)]
    _write(path, "".join(lines).encode())


def write_folder(
    folder: Path,  # made if it is not there
    contents: dict,  # file name, below the folder, to bytes
) -> list:  # names of files that somebody has changed: they stay as they are
    "Write a set of files and remove those of the last set; what others wrote there stays."
    old = _read_list(folder / WRITTEN)
    new = {(_digest(content), name) for name, content in contents.items()}
    # A run that is interrupted leaves no file that is not listed.
    _write_list(folder / WRITTEN, old | new)
    changed = []
    for name in sorted({name for _, name in old | new}):
        path = folder / name
        entry = None
        if path.is_file():
            entry = (_digest(path.read_bytes()), name)
        if entry in new:
            continue
        if name not in contents:
            if entry in old:
                path.unlink()
        elif entry is None or entry in old:
            _write(path, contents[name])
        else:
            changed.append(name)
    _write_list(folder / WRITTEN, new)
    if changed:
        more = f" and {len(changed) - 5} more" if len(changed) > 5 else ""
        print(
            f"{folder.name}: these files stay as they are, because somebody has changed or "
            f"made them: {', '.join(changed[:5])}{more}. Rename them, and the next run "
            "writes new ones."
        )
    return changed
