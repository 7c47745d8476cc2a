"Which lessons there are, how long they take, and how far you have come."

import html
import itertools
import json
import re
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

import helpers
from helpers.course import cards
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


@dataclass(frozen=True)
class Lesson:
    "What the front page says of a lesson."

    path: Path  # of its notebook
    title: str
    subtitle: str  # the line beneath the title
    minutes: int  # of study
    runs: str  # how long its cells run, about: '10 seconds'; '' where it does not say
    exercises: list  # their names, in order

    @property
    def number(self) -> str:
        return self.path.name[:2]


@lru_cache(maxsize=64)
def _lesson(path, changed):
    "What a notebook says of itself as a lesson; None where it is no lesson."
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        sources = ["".join(cell["source"]) for cell in cells]
        title = re.search(r"^# (.+)", sources[0], re.M)[1]
        subtitle = re.search(r"^> (.+)", sources[0], re.M)[1]
        minutes = int(re.search(r"^- minutes: (\d+)", sources[0], re.M)[1])
    except Exception:  # whatever else a learner puts beside the lessons
        return None
    runs = re.search(r"^- runs: (?:about )?(.+)", sources[0], re.M)
    exercises = re.findall(r"""^check\(\s*["']([\w-]+)""", "\n".join(sources), re.M)
    return Lesson(path, title, subtitle, minutes, runs[1] if runs else "", exercises)


def lessons(
    folder: Path = None,  # with the notebooks; that of the course by default
) -> list:  # of `Lesson`, in order
    "The numbered notebooks of a folder that look like lessons."
    paths = sorted(Path(folder or NOTEBOOKS).glob("[0-9][0-9]_*.ipynb"))
    found = [_lesson(path, path.stat().st_mtime_ns) for path in paths if path.is_file()]
    return [lesson for lesson in found if lesson]


# The front page

MORE = {
    "glossary.ipynb": "Glossary",
    "then_and_now.ipynb": "Then and now",
    "appendix/spreadsheets.ipynb": "Appendix: the spreadsheets",
}

# The cell of the front page shows no input in JupyterLab: neither code nor the line in its place.
STYLE = (
    cards.STYLE
    + """<style>
.jp-CodeCell:has(.course-front) .jp-Cell-inputWrapper { display: none; }
.course.course-front { padding: 2px; background: none; }
.course.course-front :is(p, ul, li, img) { margin: 0; padding: 0; }
.course.course-front .course-go {
  display: inline-block; padding: .6rem 1.1rem; border-radius: 6px; font-size: 1.1rem;
  font-weight: 600; background: var(--course-link); color: var(--course-ground);
  text-decoration: none;
}
.course.course-front .course-go:hover { text-decoration: underline; }
.course.course-front a:focus-visible { outline: 3px solid var(--course-link); outline-offset: 2px; }
.course.course-front .course-bar > span:last-child { white-space: nowrap; }
.course.course-front .course-whole { max-width: 46rem; margin: .9rem 0; }
.course.course-front .course-tiles {
  display: grid; gap: .9rem; list-style: none;
  grid-template-columns: repeat(auto-fill, minmax(max(13rem, 25% - .9rem), 1fr));
}
.course.course-front .course-tiles > li {
  position: relative; display: flex; flex-direction: column; gap: .35rem; padding: .6rem;
  border: 1px solid var(--course-edge); border-radius: 8px; background: var(--course-ground);
}
.course.course-front .course-tiles > li:hover { border-color: var(--course-link); }
.course.course-front .course-tiles img { width: 100%; height: auto; aspect-ratio: 2; }
.course.course-front .course-title { font-size: 1.05rem; font-weight: 600; line-height: 1.3; }
.course.course-front .course-title a { text-decoration: none; }
.course.course-front .course-title a::after { content: ""; position: absolute; inset: 0; }
.course.course-front .course-title a:focus-visible { outline: none; }
.course.course-front li:has(a:focus-visible) { outline: 3px solid var(--course-link); }
.course.course-front li:has(.course-title a:hover) .course-title a { text-decoration: underline; }
.course.course-front .course-time {
  margin-top: auto; color: var(--course-muted); font-size: .93em;
}
.course.course-front .course-more {
  display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; margin-top: 1.1rem; list-style: none;
}
</style>"""
)


# The drawings have a ground of their own; the site gives a white one to pictures in the dark.
NO_GROUND = "background: none; padding: 0"


def _picture(lesson):
    "The drawing of a lesson, inside the page; nothing where it has none."
    try:
        drawing = (lesson.path.parent / "images/lessons" / f"{lesson.number}.svg").read_text(
            "utf-8"
        )
    except OSError:
        return ""
    address = quote(drawing.strip(), safe=" /:=,;()'")
    size = 'width="240" height="120"'
    return f'<img src="data:image/svg+xml,{address}" alt="" {size} style="{NO_GROUND}">'


def _times(lesson):
    "How long a lesson takes to study, and to run."
    study = f"{lesson.minutes} minutes"
    return f"{study} to study, {lesson.runs} to run" if lesson.runs else study


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
    "The lessons as tiles, or as a table where there is no HTML; read anew each time it is shown."

    def __init__(
        self,
        folder: Path = None,  # with the lessons; that of the course by default
    ):
        self.folder = Path(folder or NOTEBOOKS)

    def _next(self, found, done):
        "The lesson to go on with, None after the last: one that was begun comes first."
        left = []
        begun = []
        for lesson in found:
            solved = [name for name in lesson.exercises if name in done]
            if len(solved) < len(lesson.exercises):
                left.append(lesson)
                if solved:
                    begun.append(lesson)
        return next(iter(begun + left), None)

    def _more(self):
        "Name and file of the other pages that are there."
        return [(text, file) for file, text in MORE.items() if (self.folder / file).is_file()]

    def _tile(self, lesson, done):
        "A lesson as an entry of the list."
        solved = sum(name in done for name in lesson.exercises)
        bar = cards.bar(solved, len(lesson.exercises), "solved") if lesson.exercises else ""
        link = (
            f'<a href="{quote(lesson.path.name)}" data-course="{lesson.number}">'
            f"{lesson.number}. {cards.inline(lesson.title)}</a>"
        )
        return (
            f'<li>{_picture(lesson)}<p class="course-title">{link}</p>'
            f"{cards.formatted(lesson.subtitle)}"
            f'<p class="course-time">{html.escape(_times(lesson))}</p>'
            f'<div data-course="bar-{lesson.number}">{bar}</div></li>'
        )

    def _repr_html_(self):
        done, problem = read_progress()
        found = lessons(self.folder)
        lesson = self._next(found, done)
        go = "<p>Every exercise of the course is solved.</p>"
        if lesson:
            verb = "Go on with" if done else "Begin with"
            go = (
                f'<p><a class="course-go" href="{quote(lesson.path.name)}" '
                f'data-tile="{lesson.number}">'
                f"{verb} lesson {lesson.number}, {cards.inline(lesson.title)}</a></p>"
            )
        warning = cards.card("wrong", "Your progress is not shown", text=problem) if problem else ""
        names = [name for each in found for name in each.exercises]
        whole = cards.bar(sum(name in done for name in names), len(names), "exercises solved")
        tiles = "".join(self._tile(each, done) for each in found)
        more = "".join(f"<li>{cards.link(text, quote(file))}</li>" for text, file in self._more())
        return (
            f'{STYLE}<div class="course course-front"><div data-course="top">{warning}{go}'
            f'<div class="course-whole">{whole}</div></div>'
            f'<ul class="course-tiles">{tiles}</ul><ul class="course-more">{more}</ul></div>'
        )

    def _repr_markdown_(self):
        done, problem = read_progress()
        found = lessons(self.folder)
        lesson = self._next(found, done)
        page = [as_text(problem), ""] if problem else []
        if lesson:
            verb = "Go on with" if done else "Begin with"
            title = as_text(lesson.title)
            page.append(f"{verb} [lesson {lesson.number}, {title}]({quote(lesson.path.name)}).")
        else:
            page.append("Every exercise of the course is solved.")
        page += ["", "| | lesson | minutes | runs in | exercises |", "|---|---|---:|---|---|"]
        for each in found:
            link = (
                f"**[{as_text(each.title)}]({quote(each.path.name)})**<br>{as_text(each.subtitle)}"
            )
            state = _state(each.exercises, done)
            page.append(
                f"| {each.number} | {link} | {each.minutes} | {as_text(each.runs)} | {state} |"
            )
        links = [f"[{text}]({quote(file)})" for text, file in self._more()]
        return "\n".join([*page, "", " · ".join(links)]).rstrip()

    def __repr__(self):
        return self._repr_markdown_()
