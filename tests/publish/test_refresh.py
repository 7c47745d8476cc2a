"""The two pages that are made from the lessons.

Every claim and every term is there, every link leads somewhere, and they are up to date."""

import copy
import json
import re
from collections import Counter

import pytest
from shared import APPENDIX, LESSONS, NBS, ROOT, SINGLE_FILES, read, stem

from publish import refresh
from publish.lessons import is_set_up
from publish.refresh import VERDICTS, claims, decided, parts_of, place, put, slug

PAGES = {name: read(NBS / f"{name}.ipynb") for name in ("then_and_now", "glossary")}
TERMS = json.loads((ROOT / "data" / "glossary.json").read_text(encoding="utf-8"))
NOTEBOOKS = refresh.lessons()
FIRST = "01_gradient_descent.ipynb"


def text(notebook):
    return "\n\n".join(cell.source for cell in notebook.cells)


def test_pages_are_up_to_date():
    "Else: python -m publish refresh."
    assert refresh.refresh_pages() == []


@pytest.mark.parametrize("name", PAGES)
def test_pages_hold_no_code(name):
    notebook = PAGES[name]
    assert {cell.cell_type for cell in notebook.cells} == {"markdown"}
    assert notebook.metadata.kernelspec.name == "python3"
    first = notebook.cells[0].source
    assert first.startswith("# ") and "\n> " in first
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)


# --- claims


def test_every_claim_is_there():
    "With its verdict in words beside it; the counts are those of the stored outputs."
    page = text(PAGES["then_and_now"])
    counts = Counter()
    for name, notebook in NOTEBOOKS.items():
        part = page.partition(f"## Lesson {name[:2]}:")[2].partition("\n## ")[0]
        for row in claims(notebook)[1]:
            verdict = row["verdict"]
            counts[verdict] += 1
            begin = f"{row['said']}\n\n   **{VERDICTS[verdict]}:** {row['found here']}. "
            assert f"{begin}Decided in [" in part, row
    assert len(NOTEBOOKS) == len(LESSONS)
    total = sum(counts.values())
    cells = " | ".join(str(counts[verdict]) for verdict in VERDICTS)
    assert f"| all | {cells} |" in page
    assert f"> {total} claims of the lectures" in page
    assert f"Of {total} claims" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def lesson():
    "A small lesson; two of its headings say the same, and one has a comma."
    texts = ["# A lesson", "## The step", "## Again, and again", "## Last"]
    texts += ["## Exercises", "### The step"]
    return refresh.page({f"cell-{n}": text for n, text in enumerate(texts)})


@pytest.mark.parametrize(
    ("where", "links"),
    [
        ("The step", "[The step](a.ipynb#cell-id=cell-1)"),
        ("Exercise: The step", "[The step](a.ipynb#cell-id=cell-5)"),
        ("Again, and again", "[Again, and again](a.ipynb#cell-id=cell-2)"),
        (
            "Last, Again, and again, The step",
            "[Last](a.ipynb#cell-id=cell-3) and [Again, and again](a.ipynb#cell-id=cell-2) and "
            "[The step](a.ipynb#cell-id=cell-1)",
        ),
        ("here", "[the table's own cell](a.ipynb#cell-id=c)"),
    ],
)
def test_a_claim_names_its_sections(lesson, where, links):
    assert decided(where, lesson, "c", "a.ipynb") == links


@pytest.mark.parametrize(
    "where", ["A section that was renamed", "The", "the step", "Last, Other", "Exercise: Last", ""]
)
def test_a_claim_must_name_them_in_full(lesson, where):
    with pytest.raises(ValueError, match="A lesson: .* no section is called so"):
        decided(where, lesson, "c", "a.ipynb")


def test_strange_tables_are_refused(monkeypatch):
    notebook = copy.deepcopy(NOTEBOOKS[FIRST])
    table = claims(notebook)[0]
    [cell] = [cell for cell in notebook.cells if cell.id == table]
    monkeypatch.setattr(refresh, "lessons", lambda: {FIRST: notebook})
    data = cell.outputs[0]["data"]
    data["text/markdown"] = data["text/markdown"].replace("| in part |", "| perhaps |")
    with pytest.raises(ValueError, match="unknown verdict perhaps"):
        refresh.then_and_now_page()
    cell.outputs = []
    with pytest.raises(ValueError, match="no stored output"):
        refresh.then_and_now_page()


@pytest.mark.parametrize(
    "heading, anchor",
    [
        ("The notes' table", "the-notes-table"),
        ("What will a shop sell?", "what-will-a-shop-sell"),
        ("K-fold beside it", "k-fold-beside-it"),
        ("1. Begin", "begin"),
    ],
)
def test_anchors_are_those_of_quarto(heading, anchor):
    assert slug(heading) == anchor


# --- terms


def test_terms():
    "Each once, in one sentence, from every lesson."
    counts = Counter(entry["term"].lower() for entry in TERMS)
    assert 70 <= len(counts) <= 160 and set(counts.values()) == {1}
    assert {entry["lesson"] for entry in TERMS} == {path.name[:2] for path in LESSONS}
    for entry in TERMS:
        assert set(entry) == {"term", "definition", "lesson", "where"}
        definition = entry["definition"]
        assert re.fullmatch(r'[A-Z“"].+[^.]\.', definition) and ". " not in definition, entry
        assert not re.match(r"(the|an?) \w+ (we|you)", definition, re.IGNORECASE), entry


def test_every_term_is_there():
    "In order, each in a cell that is called like it, and with a link into its lesson."
    page = text(PAGES["glossary"])
    terms = sorted((entry["term"] for entry in TERMS), key=lambda term: (term.lower(), term))
    assert re.findall(r"^### (.+)$", page, re.MULTILINE) == terms
    letters = sorted({term[0].upper() for term in terms})
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == letters
    cells = {cell.id: cell.source for cell in PAGES["glossary"].cells}
    for entry in TERMS:
        term = entry["term"]
        begin = f"### {term}\n\n{entry['definition']} Built in [{entry['lesson']} "
        link = rf"[^\]]*\]\({entry['lesson']}_\w+\.ipynb#cell-id=[\w-]+\)\."
        assert re.fullmatch(re.escape(begin) + link, cells[slug(term)]), entry


@pytest.mark.parametrize(
    "where", ["a snippet that is gone", "## A heading that is gone", "import", "## The update"]
)
def test_lost_places_are_named(where):
    with pytest.raises(ValueError, match="Glossary, 'momentum': .* it should be exactly one"):
        place("momentum", "01", where, NOTEBOOKS)


def test_lost_lessons_are_named():
    with pytest.raises(ValueError, match="Glossary, 'momentum': there is no lesson 77"):
        place("momentum", "77", "import", NOTEBOOKS)


# --- what is written into a lesson


@pytest.mark.parametrize("path", LESSONS, ids=stem)
def test_ways_stand_at_both_ends(path):
    "To the lessons before and after, and to the front page; after the summary its words, too."
    number = LESSONS.index(path)
    others = [path.name for path in LESSONS[max(number - 1, 0) : number]]
    others += ["index.ipynb", *(path.name for path in LESSONS[number + 1 : number + 2])]
    cells = read(path).cells
    [summary] = [n for n, cell in enumerate(cells) if cell.source.startswith("## Summary")]
    for cell in (cells[1], cells[summary + 1]):
        assert re.findall(r"\]\((\w+\.ipynb)\)", cell.source) == others
    terms = [entry["term"] for entry in refresh.terms() if entry["lesson"] == path.name[:2]]
    assert re.findall(r"\[([^]]+)\]\(glossary\.ipynb#", cells[summary + 1].source) == terms


def test_the_appendix_leads_to_the_front_page():
    for path in APPENDIX:
        assert read(path).cells[1].source.startswith("[All lessons](../index.ipynb)\n\n")


@pytest.mark.parametrize("path", SINGLE_FILES, ids=stem)
def test_set_up_cell_is_folded(path):
    [cell] = filter(is_set_up, read(path).cells)
    assert cell.metadata.jupyter.source_hidden is True


@pytest.mark.parametrize("path", SINGLE_FILES, ids=stem)
def test_headings_begin_their_cells(path):
    "Else a link to the cell leads to what stands before them."
    for cell in read(path).cells:
        if cell.cell_type == "markdown":
            assert len(parts_of(cell.source)) == 1, cell.source[:100]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("A text", ["A text"]),
        ("## Head\n\nA text", ["## Head\n\nA text"]),
        ("A text\n\n## Head\n\n### Sub\n\nMore", ["A text", "## Head", "### Sub\n\nMore"]),
        ("```\n# a comment\n```", ["```\n# a comment\n```"]),
        ("<details>\n\n# folded\n</details>", ["<details>\n\n# folded\n</details>"]),
    ],
)
def test_texts_are_parted_at_headings(text, parts):
    assert parts_of(text) == parts


def test_parts_keep_their_ids():
    "The first part that of the cell; another one gets that of its heading, once."
    lesson = refresh.page({"a": "Text\n\n## Last", "last": "More\n\n## Last"})
    refresh.split_at_headings(lesson)
    assert [cell.id for cell in lesson.cells] == ["a", "last-again", "last", "last-again-again"]


def test_a_text_is_put_once(lesson):
    for text in ("first", "second"):
        put(lesson, "made", text, "Last")
    assert [cell.id for cell in lesson.cells].count("made") == 1
    assert lesson.cells[4].source == "second" and lesson.cells[3].source == "## Last"
