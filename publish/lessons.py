"Run the lessons without a browser, and write into them what stands elsewhere once: the project's address and the quiz questions."

import hashlib
import os
import re
import sys
import time
from pathlib import Path

import nbformat

import helpers

ROOT = Path(helpers.__file__).resolve().parent.parent


def lessons(
    pattern: str = "",  # only notebooks whose name contains this
) -> list:  # paths of the numbered notebooks, in order
    "The lessons of the course."
    return [
        path for path in sorted((ROOT / "nbs").glob("[0-9][0-9]_*.ipynb")) if pattern in path.name
    ]


def execute(
    path: Path,  # a notebook
    timeout: int = 600,  # seconds for one cell
) -> tuple:  # the executed notebook, and the seconds it took
    "Run a notebook from top to bottom in its own folder; the file is left as it is. `CellExecutionError` if a cell fails."
    from nbclient import NotebookClient

    notebook, start = nbformat.read(path, as_version=4), time.time()
    client = NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name="python3",
        extra_arguments=["--IPKernelApp.log_level=40"],
        resources={"metadata": {"path": str(Path(path).parent)}},
    )
    client.execute(
        env={"GOMP_SPINCOUNT": "10000", **os.environ, "HELPERS_QUIET": "1"}
    )  # a thread that waits should soon leave its core to others
    return notebook, time.time() - start


def printed(
    notebook,  # an executed notebook
) -> str:
    "Everything that a notebook printed or displayed as text."
    shown = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            shown.append(output.get("text", "") or output.get("data", {}).get("text/plain", ""))
    return "\n".join(shown)


def run_lessons(
    pattern: str = "",  # only lessons whose name contains this
) -> bool:  # True if all of them ran
    "Run the lessons with the learner's settings and print a table; a lesson that fails is named, and the others go on."
    from helpers.course.figures import Table

    rows, fine = [], True
    for path in lessons(pattern):
        print(f"running {path.stem} …", file=sys.stderr)
        try:
            notebook, seconds = execute(path)
        except Exception as error:
            fine = False
            rows.append([path.stem, "", "", "", f"failed: {str(error).strip().splitlines()[-1]}"])
            continue
        text = printed(notebook)
        data = dict.fromkeys(
            re.findall(
                r"^(MNIST|MovieLens [\w-]+|Adult|Rossmann|Paddy Doctor|stand-in \w+): \d",
                text,
                re.M,
            )
        )
        solved = re.search(r"(\d+ of \d+) exercises solved so far", text)
        verdicts = [
            f"{len(re.findall(rf'  {words}  ', text))} {words}"
            for words in ("holds", "in part", "does not hold")
        ]
        rows.append(
            [
                path.stem,
                ", ".join(data) if data else "made in the lesson",
                f"{seconds:.0f}",
                solved[1] if solved else "",
                ", ".join(verdicts),
            ]
        )
    print(Table(["lesson", "data", "seconds", "exercises solved", "then and now"], rows))
    return fine


def pyproject():
    "What `pyproject.toml` says."
    try:
        import tomllib
    except ImportError:
        import tomli as tomllib
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def address():
    "The project's public address, from `[project.urls]` in `pyproject.toml`."
    return pyproject()["project"]["urls"]["Repository"].rstrip("/")


BUNDLES = "bundles"  # the branch where the single-file copies are published, see `publish.bundle`


def buttons(
    name: str,  # file name of the lesson
) -> str:  # Markdown
    "Links that open a lesson's single-file copy in Colab or Kaggle, or download it."
    owner = address().removeprefix("https://github.com/")
    return (
        f"[Open in Colab](https://colab.research.google.com/github/{owner}/blob/{BUNDLES}/{name}) | "
        f"[Open in Kaggle](https://kaggle.com/kernels/welcome?src={address()}/blob/{BUNDLES}/{name}) | "
        f"[Download]({address()}/raw/{BUNDLES}/{name})"
    )


SET_UP = """# On Kaggle or Colab this fetches the course's package; elsewhere it does nothing.
import importlib.util
import sys


def course_found():
    try:
        return importlib.util.find_spec('helpers.course.exercises') is not None
    except Exception:  # there is no package helpers, or it is somebody else's
        return False


if not course_found():
    sys.modules.pop('helpers', None)
    %pip install --quiet "git+{address}"
    importlib.invalidate_caches()
    if not course_found():
        raise RuntimeError(
            "The course's package could not be fetched, or another one named helpers hides "
            "it. Take this lesson's single file instead, which needs no network: Download, "
            "above."
        )"""


def is_set_up(
    cell,  # of a notebook
) -> bool:
    "True for the cell that fetches the course's package."
    return cell.cell_type == "code" and "%pip install" in cell.source and "git+" in cell.source


WRITTEN = ".written"  # the list: a digest and a name in each line


def _digest(content):
    return hashlib.sha256(content).hexdigest()


def _put(path, content):
    "Write a file beside its place, then move it there: never half a file."
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.part")
    unfinished.write_bytes(content)
    unfinished.replace(path)


def write_folder(
    folder: Path,  # made if it is not there
    contents: dict,  # file name, below the folder, to bytes
) -> list:  # names of files that somebody has changed: they stay as they are
    "Write a set of files and remove those of the last set; what others wrote there stays."

    def note(entries):
        lines = [f"{digest}  {name}\n" for digest, name in sorted(entries)]
        _put(folder / WRITTEN, "".join(lines).encode())

    known = set()
    if (folder / WRITTEN).is_file():
        text = (folder / WRITTEN).read_text(encoding="utf-8", errors="replace")
        known = set(re.findall(r"^(\w{64})  (.+)$", text, re.M))
    new = {(_digest(content), name) for name, content in contents.items()}
    note(known | new)  # a run that is interrupted leaves no file that is not listed
    changed = []
    for name in sorted({name for _, name in known | new}):
        path = folder / name
        entry = (_digest(path.read_bytes()), name) if path.is_file() else None
        if entry in new:
            continue
        if name not in contents:
            if entry in known:
                path.unlink()
        elif entry is None or entry in known:
            _put(path, contents[name])
        else:
            changed.append(name)
    note(new)
    if changed:
        more = f" and {len(changed) - 5} more" if len(changed) > 5 else ""
        print(
            f"{folder.name}: these files stay as they are, because somebody has changed or "
            f"made them: {', '.join(changed[:5])}{more}. Rename them, and the next run "
            "writes new ones."
        )
    return changed
