"Which lessons there are, how long they take, and how far you have come."

import itertools
import json
import re
import time
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from urllib.parse import quote

import helpers
from helpers.course.files import as_text, replacing
from helpers.course.settings import SettingsError, settings

# The progress file


def progress_file() -> Path:
    "Where the solved exercises are kept."
    return settings().root / "data" / "progress.json"


def _read(path):
    "What the file holds, {} where there is none; `OSError` or `ValueError` if it is no use."
    try:
        progress = json.loads(path.read_bytes())  # of bytes, json finds the encoding
    except FileNotFoundError:
        return {}
    except RecursionError:
        raise ValueError("too deeply nested") from None
    if not isinstance(progress, dict):
        raise ValueError("no names with days")
    return progress


def read_progress() -> tuple:
    """The solved exercises, and what is wrong with their file.

    The first is a dictionary from name to day, '2026-01-31'; empty where there is no file, and
    where it is damaged or cannot be read. The second is a sentence or two; '' where all is well."""
    try:
        path = progress_file()
        return _read(path), ""
    except SettingsError as error:
        problem = str(error)
    except OSError as error:
        problem = (
            f"{path} cannot be read now ({error.strerror or error}), and is left as it is. "
            "Close what holds it, or mend its permissions."
        )
    except ValueError as error:
        problem = (
            f"{path} is damaged ({error}). Mend it in a text editor; "
            "otherwise it is put aside when the next exercise is solved."
        )
    return {}, problem


PATIENCE = 5  # seconds; a lock that stays longer was left by a kernel that died


@contextmanager
def _alone(path):
    "Hold the lock file beside a path."
    lock = path.with_suffix(".lock")
    start = time.monotonic()
    while True:
        try:
            lock.touch(exist_ok=False)
            break
        except FileExistsError:
            if time.monotonic() - start > PATIENCE:
                lock.unlink(missing_ok=True)
            time.sleep(0.01)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def _put_aside(path, reason):
    "Rename a damaged file, and say so; no earlier one is written over."
    for number in itertools.count(1):
        aside = path.with_name(f"{path.stem}.damaged{number if number > 1 else ''}.json")
        if not aside.exists():
            break
    path.rename(aside)
    print(f"{path} was damaged ({reason}). It is kept as {aside.name}, and a new one is begun.")


def _record(path, name):
    "Add an exercise with today's day to the file, whatever state it is in."
    try:
        progress = _read(path)
    except ValueError as error:
        _put_aside(path, error)
        progress = {}
    if name not in progress:
        progress[name] = date.today().isoformat()
        with replacing(path) as unfinished:
            unfinished.write_text(json.dumps(progress, indent=1), encoding="utf-8")


def remember(
    name: str,  # the exercise, for instance '01-update'
) -> bool:  # False if it cannot be written, or what is there cannot be read
    "Record an exercise as solved."
    try:
        path = progress_file()
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(path):
            _record(path, name)
    except (OSError, SettingsError):
        return False
    return True


# The lessons


NOTEBOOKS = Path(helpers.__file__).resolve().parent.parent / "nbs"


def lesson_file(
    lesson: str,  # its number: '02'
) -> Path | None:  # None where the notebook did not come along
    "The notebook of a lesson."
    return next(iter(sorted(NOTEBOOKS.glob(f"{lesson}_*.ipynb"))), None)


# The front page


def _state(exercises, done):
    "How many exercises of a lesson are solved, in Markdown."
    solved = sum(name in done for name in exercises)
    if not solved:
        return str(len(exercises))
    if solved < len(exercises):
        return f"{solved}&nbsp;of&nbsp;{len(exercises)}&nbsp;solved"
    if solved == 1:
        return "**solved**"
    return f"**all&nbsp;{solved}&nbsp;solved**"


class FrontPage:
    "The lessons as a table with links, minutes and progress; read anew each time it is shown."

    def __init__(
        self,
        folder: Path = None,  # with the lessons; that of the course by default
    ):
        self.folder = Path(folder or NOTEBOOKS)

    def rows(self) -> list:  # tuples: file, title, subtitle, minutes, names of its exercises
        "What the numbered lessons say of themselves."
        rows = []
        for path in sorted(self.folder.glob("[0-9][0-9]_*.ipynb")):
            cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
            sources = ["".join(cell["source"]) for cell in cells]
            title = re.search(r"^# (.+)", sources[0], re.M)[1]
            subtitle = re.search(r"^> (.+)", sources[0], re.M)[1]
            minutes = re.search(r"^- minutes: (\d+)", sources[0], re.M)[1]
            checks = re.findall(r"""^check\(\s*["']([\w-]+)""", "\n".join(sources), re.M)
            rows.append((path.name, title, subtitle, minutes, checks))
        return rows

    def _advice(self, rows, done):
        "Where to go on: a lesson that was begun comes before one that was not."
        left = []
        begun = []
        for file, title, _, _, exercises in rows:
            solved = [name for name in exercises if name in done]
            if len(solved) < len(exercises):
                left.append((file, title))
                if solved:
                    begun.append((file, title))
        if not left:
            return "Every exercise of the course is solved."
        file, title = (begun or left)[0]
        verb = "Go on with" if done else "Begin with"
        return f"{verb} [lesson {file[:2]}, {as_text(title)}]({quote(file)})."

    def _repr_markdown_(self):
        done, problem = read_progress()
        rows = self.rows()
        page = [as_text(problem), ""] if problem else []
        page += [self._advice(rows, done), ""]
        page += ["| | lesson | minutes | exercises |", "|---|---|---:|---|"]
        for file, title, subtitle, minutes, exercises in rows:
            link = f"**[{as_text(title)}]({quote(file)})**"
            state = _state(exercises, done)
            page.append(f"| {file[:2]} | {link}<br>{as_text(subtitle)} | {minutes} | {state} |")
        return "\n".join(page)

    def __repr__(self):
        return self._repr_markdown_()
