"""Every lesson has all parts of a lesson, and stored outputs of a whole run.

That they run: publish/test_bundle.py and whole/."""

import json
import re

import pytest
from shared import (
    APPENDIX,
    BACKSTAGE,
    LESSONS,
    NBS,
    ROOT,
    SINGLE_FILES,
    checkpoint,
    code_cells,
    each_lesson,
    each_single_file,
    has_picture,
    read,
    stem,
)

from helpers.course.front import FrontPage
from helpers.course.quiz import questions, quiz_text
from publish.lessons import address, buttons, is_buttons, printed
from publish.refresh import refresh, without_code


def text(notebook, kind="markdown"):
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == kind)


def headings(notebook):
    "The lines that are headings."
    lines = without_code(text(notebook)).splitlines()
    return [line for line in lines if re.match(r"#+ ", line)]


def calls(code, function):
    "How often a line begins with a call of a function."
    return len(re.findall(rf"^{function}\(", code, re.MULTILINE))


# --- parts


@each_single_file
def test_says_what_it_is(path):
    notebook = read(path)
    first = notebook.cells[0].source
    assert first.startswith("# ") and "\n> " in first
    assert "import *" not in text(notebook, "code")


@each_lesson
def test_says_what_it_needs(path):
    first = read(path).cells[0].source
    for key in ("minutes", "prerequisites", "data", "hardware"):
        assert re.search(rf"^- {key}: \S", first, re.MULTILINE), f"no {key} in the front matter"
    assert re.search(r"^- runs: about \d+ (second|minute)s?$", first, re.MULTILINE)


@each_lesson
def test_has_every_part(path):
    notebook = read(path)
    lines = headings(notebook)
    order = []
    for part in ("Exercises", "Quiz", "Summary"):
        [number] = [n for n, line in enumerate(lines) if line.startswith(f"## {part}")]
        order.append(number)
    assert order == sorted(order)
    assert "## Then and now" in lines
    code = text(notebook, "code")
    number = path.name[:2]
    assert f'begin("{number}")' in code and f'quiz("{number}")' in code
    assert calls(code, "then_and_now") == 1


@each_lesson
def test_every_exercise_has_a_solution(path):
    notebook = read(path)
    code = text(notebook, "code")
    names = re.findall(r'^check\(\s*"([\w-]+)"', code, re.MULTILINE)
    assert 1 <= len(names) == calls(code, "check")
    assert {name[:2] for name in names} == {path.name[:2]}
    assert text(notebook).count("<details><summary>Solution</summary>") == len(names)


@pytest.mark.parametrize("path", APPENDIX, ids=stem)
def test_appendix_is_no_lesson(path):
    code = text(read(path), "code")
    for function in ("begin", "check", "quiz", "then_and_now"):
        assert calls(code, function) == 0


# --- as notebooks


@pytest.mark.parametrize("path", SINGLE_FILES + BACKSTAGE, ids=stem)
def test_opens_without_a_question(path):
    "JupyterLab asks for a kernel where a notebook names none."
    assert read(path).metadata.get("kernelspec", {}).get("name") == "python3"


@pytest.mark.parametrize("path", [*SINGLE_FILES, *BACKSTAGE, NBS / "index.ipynb"], ids=stem)
def test_headings_make_a_table_of_contents(path):
    "One title, at the top, and no level skipped after it."
    levels = [len(line.split(" ")[0]) for line in headings(read(path))]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:]))


def test_page_names_are_unique():
    "nbdev takes the number off."
    names = []
    for path in NBS.rglob("*.ipynb"):
        if not checkpoint(path):
            folder = path.relative_to(NBS).parent
            names.append(folder / re.sub(r"^[\d_]+", "", path.stem))
    assert len(names) == len(set(names))


# --- stored outputs


@each_lesson
def test_stored_quiz_is_the_quiz(path):
    [cell] = [cell for cell in read(path).cells if cell.source.startswith("quiz(")]
    scripts = [output.get("data", {}).get("application/javascript") for output in cell.outputs]
    script = next(filter(None, scripts))
    assert "data-lm-suppress-shortcuts" in script
    stored, _ = json.JSONDecoder().raw_decode(script, script.index("["))
    expected = questions(path.name[:2])
    for question in expected:
        for answer in question["answers"]:
            word = "Right." if answer["correct"] else "No."
            answer["feedback"] = f"{word} {answer['feedback']}"
    assert stored == expected


@each_single_file
def test_stored_outputs(path):
    "They come from a whole run on real data, and reveal no machine."
    notebook = read(path)
    shown = printed(notebook)
    assert not re.search(r"stand-in \w+:", shown)
    assert "Traceback" not in shown and "Warning" not in shown
    assert not re.search(r"(?<![\w.])/(?:root|work|tmp|home)/", shown)
    for cell in code_cells(notebook):
        assert not [output for output in cell.outputs if output.output_type == "error"]
    assert any(map(has_picture, notebook.cells)) or path in APPENDIX
    assert path.stat().st_size < 1_500_000


# --- what is made


@each_single_file
def test_buttons_are_those_of_the_file(path):
    "As `python -m publish refresh` writes them."
    [cell] = filter(is_buttons, read(path).cells)
    assert buttons(path.name) in cell.source
    assert path.name in cell.source and address() in cell.source


@each_lesson
def test_folded_answers_are_those_of_the_quiz(path):
    assert quiz_text(path.name[:2]) in text(read(path))


def test_refresh_changes_nothing():
    assert refresh() == []


# --- what is said of them elsewhere


def test_tables_of_lessons_agree_with_the_lessons(learner):
    "README and front page name every lesson with its title and its minutes."
    front = printed(read(NBS / "index.ipynb"))
    assert front.strip() == repr(FrontPage()).strip()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for path in LESSONS:
        first = read(path).cells[0].source
        title = re.search(r"^# (.+)$", first, re.MULTILINE)[1]
        minutes = re.search(r"^- minutes: (\d+)$", first, re.MULTILINE)[1]
        link = rf"\[{re.escape(title)}\]\([^)]*{path.name}\)"
        row = rf"\| {path.name[:2]} \| \**{link}.+ \| {minutes} \|"
        for page in (front, readme):
            assert re.search(row, page), (path.name, page[:40])


def test_readme_counts_claims():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    outputs = "\n".join(printed(read(path)) for path in LESSONS)
    counts = {}
    for verdict in ("holds", "in part", "does not hold", "not shown"):
        counts[verdict] = len(re.findall(f"  {verdict}  ", outputs))
    assert f"Of {sum(counts.values())} claims" in readme
    assert f"{counts['holds']} hold, {counts['in part']} hold in part" in readme
    assert f"{counts['does not hold']} do not" in readme


def test_readme_counts_exercises_and_questions(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tests" / "course")
    from wrong_answers import WRONG

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    wrong = sum(map(len, WRONG.values()))
    words = f"{len(WRONG)} exercises, tried in the tests against {wrong} plausible wrong answers"
    assert words in readme
    count = sum(len(questions(path.name[:2])) for path in LESSONS)
    assert f"{count} quiz questions" in readme
