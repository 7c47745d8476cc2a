"Which lessons there are, how long they take, and how far you have come."

import itertools
import json
import os
import re
import time
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from urllib.parse import quote

import helpers
from helpers.course.files import as_text
from helpers.course.settings import SettingsError, settings


def progress_file() -> Path:
    "Where the solved exercises are kept."
    return settings().root / "data" / "progress.json"


def _read(path):
    "What the file holds, {} where there is none; `OSError` if it cannot be read, `ValueError` if it is damaged."
    try:
        found = json.loads(path.read_bytes())  # of bytes, json finds the encoding by itself
    except FileNotFoundError:
        return {}
    except RecursionError:
        raise ValueError("too deeply nested") from None
    if not isinstance(found, dict):
        raise ValueError("no names with days")
    return found


def solved() -> dict:  # name of each solved exercise to the day, '2026-01-31'
    "The solved exercises; none where the file is missing, damaged or cannot be read."
    try:
        return _read(progress_file())
    except (OSError, ValueError):
        return {}


def progress_problem() -> str:  # one or two sentences; '' where all is well
    "Why the solved exercises cannot be read, and what to do."
    try:
        path = progress_file()
        _read(path)
    except SettingsError as error:
        return str(error)
    except OSError as error:
        return (
            f"{path} cannot be read now ({error.strerror or error}), and is left as it is. "
            "Close what holds it, or mend its permissions."
        )
    except ValueError as error:
        return (
            f"{path} is damaged ({error}). Mend it in a text editor; "
            "otherwise it is put aside when the next exercise is solved."
        )
    return ""


PATIENCE = 5  # seconds; a lock that stays longer was left by a kernel that died


@contextmanager
def _alone(path):
    "Hold the lock file beside a path."
    lock, start = path.with_suffix(".lock"), time.monotonic()
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
    numbers = itertools.chain([""], itertools.count(2))
    names = (path.with_name(f"{path.stem}.damaged{number}.json") for number in numbers)
    aside = next(name for name in names if not name.exists())
    path.rename(aside)
    print(f"{path} was damaged ({reason}). It is kept as {aside.name}, and a new one is begun.")


def remember(
    name: str,  # the exercise, for instance '01-update'
) -> bool:  # False if it cannot be written, or what is there cannot be read
    "Record an exercise as solved."
    try:
        path = progress_file()
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}.tmp")
        with _alone(path):
            try:
                done = _read(path)
            except ValueError as error:
                _put_aside(path, error)
                done = {}
            if name in done:
                return True
            try:
                text = json.dumps({**done, name: date.today().isoformat()}, indent=1)
                unfinished.write_text(text, encoding="utf-8")
                unfinished.replace(path)
            finally:
                unfinished.unlink(missing_ok=True)
    except (OSError, SettingsError):
        return False
    return True


class FrontPage:
    "The lessons as a table with links, minutes and progress; read anew each time it is shown."

    def __init__(
        self,
        folder: Path = None,  # with the lessons; that of the course by default
    ):
        self.folder = Path(folder or Path(helpers.__file__).resolve().parent.parent / "nbs")

    def rows(self) -> list:  # tuples: file, title, subtitle, minutes, names of its exercises
        "What the lessons say of themselves."
        found = []
        for path in sorted(self.folder.glob("[0-9][0-9]_*.ipynb")):
            sources = [
                "".join(cell["source"])
                for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
            ]
            title, subtitle, minutes = [
                re.search(pattern, sources[0], re.M)[1]
                for pattern in (r"^# (.+)", r"^> (.+)", r"^- minutes: (\d+)")
            ]
            found.append(
                (
                    path.name,
                    title,
                    subtitle,
                    minutes,
                    re.findall(r"""^check\(\s*["']([\w-]+)""", "\n".join(sources), re.M),
                )
            )
        return found

    def _repr_markdown_(self):
        done, rows = solved(), self.rows()
        table = ["| | lesson | minutes | exercises |", "|---|---|---:|---|"]
        for file, title, subtitle, minutes, exercises in rows:
            title, subtitle, file = as_text(title), as_text(subtitle), quote(file)
            count = sum(name in done for name in exercises)
            state = (
                f"**all&nbsp;{count}&nbsp;solved**"
                if count == len(exercises)
                else f"{count}&nbsp;of&nbsp;{len(exercises)}&nbsp;solved"
                if count
                else str(len(exercises))
            )
            table.append(
                f"| {file[:2]} | **[{title}]({file})**<br>{subtitle} | {minutes} | {state} |"
            )
        left = [row for row in rows if not done.keys() >= set(row[4])]
        begun = [row for row in left if done.keys() & set(row[4])]
        if not left:
            advice = "Every exercise of the course is solved."
        else:
            file, title = (begun or left)[0][:2]
            advice = f"{'Go on with' if done else 'Begin with'} [lesson {file[:2]}, {as_text(title)}]({quote(file)})."
        if problem := progress_problem():
            advice = f"{as_text(problem)}\n\n{advice}"
        return "\n".join([advice, "", *table])

    def __repr__(self):
        return self._repr_markdown_()
