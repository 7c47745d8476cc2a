"Every lesson has all parts of a lesson, and stored outputs of a whole run. (That they run: test_bundle.py and whole/.)"

import json
import re

import nbformat
import pytest
from shared import LESSONS, ROOT

from helpers.course.front import FrontPage
from helpers.course.quiz import questions, quiz_text
from publish.lessons import address, buttons, printed
from publish.refresh import refresh

names = [path.stem for path in LESSONS]
backstage = sorted((ROOT / "nbs" / "backstage").glob("*.ipynb"))


def text(notebook, kind="markdown"):
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == kind)


@pytest.mark.parametrize("path", LESSONS, ids=names)
def test_has_every_part(path):
    notebook = nbformat.read(path, as_version=4)
    prose, code = text(notebook), text(notebook, "code")
    first = notebook.cells[0].source
    assert first.startswith("# ") and "\n> " in first
    for key in ("minutes", "prerequisites", "data", "hardware"):
        assert re.search(rf"^- {key}: \S", first, re.M), f"no {key} in the front matter"
    headings = [line for line in prose.splitlines() if re.match(r"#+ ", line)]
    order = [
        next(n for n, line in enumerate(headings) if line.startswith(f"## {part}"))
        for part in ("Then and now", "Exercises", "Quiz", "Summary")
    ]
    assert order == sorted(order)
    assert len(re.findall(r"^check\(", code, re.M)) >= 3
    assert prose.count("<details><summary>Solution</summary>") == len(
        re.findall(r"^check\(", code, re.M)
    )
    assert (
        f'begin("{path.name[:2]}")' in code
        and f'quiz("{path.name[:2]}")' in code
        and "then_and_now(" in code
    )
    assert "import *" not in code


@pytest.mark.parametrize("path", LESSONS + backstage, ids=lambda path: path.stem)
def test_opens_without_a_question(path):
    "JupyterLab asks for a kernel where a notebook names none."
    assert nbformat.read(path, as_version=4).metadata.get("kernelspec", {}).get("name") == "python3"


@pytest.mark.parametrize(
    "path", LESSONS + backstage + [ROOT / "nbs" / "index.ipynb"], ids=lambda path: path.stem
)
def test_headings_make_a_table_of_contents(path):
    "One title, at the top, and no level skipped after it."
    cells = [
        cell.source
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "markdown"
    ]
    levels = [
        len(line.split(" ")[0])
        for source in cells
        for line in re.sub(r"^```.*?^```", "", source, flags=re.M | re.S).splitlines()
        if re.match(r"#+ ", line)
    ]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:]))


@pytest.mark.parametrize("path", LESSONS, ids=names)
def test_stored_quiz_is_the_quiz(path):
    [cell] = [
        cell for cell in nbformat.read(path, as_version=4).cells if cell.source.startswith("quiz(")
    ]
    script = next(
        output.data["application/javascript"]
        for output in cell.outputs
        if "application/javascript" in output.data
    )
    stored = json.JSONDecoder().raw_decode(script, script.index("["))[0]
    words = {True: "Right. ", False: "No. "}
    assert stored == [
        {
            **asked,
            "answers": [
                {**answer, "feedback": words[answer["correct"]] + answer["feedback"]}
                for answer in asked["answers"]
            ],
        }
        for asked in questions(path.name[:2])
    ]
    assert "data-lm-suppress-shortcuts" in script


@pytest.mark.parametrize("path", LESSONS, ids=names)
def test_stored_outputs(path):
    "Stored outputs come from a whole run on real data, in order, with alt text for every figure, and reveal no machine."
    notebook = nbformat.read(path, as_version=4)
    shown = printed(notebook)
    assert (
        not re.search(r"stand-in \w+:", shown)
        and "Traceback" not in shown
        and "Warning" not in shown
    )
    assert not re.search(r"(?<![\w.])/(?:root|work|tmp|home)/", shown)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            assert output.output_type != "error"
            if "image/png" in output.get("data", {}):
                assert "#| fig-alt:" in cell.source, cell.source[:80]
    assert path.stat().st_size < 1_500_000


@pytest.mark.parametrize("path", LESSONS, ids=names)
def test_generated_parts(path):
    "Buttons and folded answers are those that `python -m publish.lessons refresh` writes."
    prose = text(nbformat.read(path, as_version=4))
    assert buttons(path.name) in prose and quiz_text(path.name[:2]) in prose
    assert path.name in buttons(path.name) and address() in buttons(path.name)


def test_refresh_changes_nothing():
    assert refresh() == []


def test_page_names_are_unique():
    stems = [
        re.sub(r"^[\d_]+", "", path.stem)
        for path in (ROOT / "nbs").rglob("*.ipynb")
        if ".ipynb_checkpoints" not in path.parts
    ]
    assert len(stems) == len(set(stems))


def test_tables_of_lessons_agree_with_the_lessons(learner):
    "README and front page name every lesson with its title and its minutes."
    front = printed(nbformat.read(ROOT / "nbs" / "index.ipynb", as_version=4))
    assert front.strip() == repr(FrontPage()).strip()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for path in LESSONS:
        first = nbformat.read(path, as_version=4).cells[0].source
        title, minutes = (
            re.search(r"^# (.+)$", first, re.M)[1],
            re.search(r"^- minutes: (\d+)$", first, re.M)[1],
        )
        for page in (front, readme):
            assert re.search(
                rf"\| {path.name[:2]} \| \**\[{re.escape(title)}\]\([^)]*{path.name}\).+ \| {minutes} \|",
                page,
            ), (path.name, page[:40])


def test_readme_counts_what_is_there():
    from wrong_answers import WRONG

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    outputs = "\n".join(printed(nbformat.read(path, as_version=4)) for path in LESSONS)
    holds, part, not_ = [
        len(re.findall(f"  {words}  ", outputs)) for words in ("holds", "in part", "does not hold")
    ]
    assert (
        f"Of {holds + part + not_} claims" in readme
        and f"{holds} hold, {part} hold in part and {not_} do not" in readme
    )
    assert (
        f"{len(WRONG)} exercises, tried in the tests against {sum(map(len, WRONG.values()))} plausible wrong answers"
        in readme
    )
    assert f"{sum(len(questions(path.name[:2])) for path in LESSONS)} quiz questions" in readme
