"""The two pages that are made from the lessons.

Every claim and every term is there, every link leads somewhere, and they are up to date."""

import copy
import json
import re
from collections import Counter

import pytest
from shared import LESSONS, NBS, ROOT, code_cells, read, stem

from publish import refresh
from publish.refresh import VERDICTS, claims, decided, headings, place, slug

PAGES = {name: read(NBS / f"{name}.ipynb") for name in ("then_and_now", "glossary")}
TERMS = json.loads((ROOT / "data" / "glossary.json").read_text(encoding="utf-8"))
NOTEBOOKS = refresh.lessons()
FIRST = "01_gradient_descent.ipynb"


def text(notebook):
    return "\n\n".join(cell.source for cell in notebook.cells)


def anchors(notebook):
    "What a link to a page may name: headings, and ids of code cells."
    cells = {cell.id for cell in code_cells(notebook)}
    return cells | {anchor for _, anchor in headings(notebook)}


def test_pages_are_up_to_date():
    "Else: python -m publish refresh."
    assert refresh.refresh_pages() == []


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name):
    links = re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", text(PAGES[name]))
    assert len(links) > 100
    for file, anchor in links:
        target = NOTEBOOKS[file] if file else PAGES[name]
        assert not anchor or anchor in anchors(target), f"{file}#{anchor}"


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
    return refresh.page("small", texts)


@pytest.mark.parametrize(
    ("where", "links"),
    [
        ("The step", "[The step](a.ipynb#the-step)"),
        ("Exercise: The step", "[The step](a.ipynb#the-step-1)"),
        ("Again, and again", "[Again, and again](a.ipynb#again-and-again)"),
        (
            "Last, Again, and again, The step",
            "[Last](a.ipynb#last) and [Again, and again](a.ipynb#again-and-again) and "
            "[The step](a.ipynb#the-step)",
        ),
        ("here", "[the table's own cell](a.ipynb#c)"),
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
    assert 70 <= len(counts) <= 130 and set(counts.values()) == {1}
    assert {entry["lesson"] for entry in TERMS} == {path.name[:2] for path in LESSONS}
    for entry in TERMS:
        assert set(entry) == {"term", "definition", "lesson", "where"}
        definition = entry["definition"]
        assert re.fullmatch(r'[A-Z“"].+[^.]\.', definition) and ". " not in definition, entry
        assert not re.match(r"(the|an?) \w+ (we|you)", definition, re.IGNORECASE), entry


def test_every_term_is_there():
    "In order, and with a link into its lesson."
    page = text(PAGES["glossary"])
    terms = sorted((entry["term"] for entry in TERMS), key=lambda term: (term.lower(), term))
    assert re.findall(r"^\*\*(.+?)\*\*", page, re.MULTILINE) == terms
    for entry in TERMS:
        begin = f"**{entry['term']}**: {entry['definition']} Built in [{entry['lesson']} "
        link = rf"[^\]]*\]\({entry['lesson']}_\w+\.ipynb#"
        assert re.search(re.escape(begin) + link, page), entry


@pytest.mark.parametrize("path", LESSONS, ids=stem)
def test_linked_cells_are_on_the_site(path):
    "nbdev leaves out cells with `#| export` or `#| hide`; those with `#| exports` stay."
    linked = set()
    for page in PAGES.values():
        linked.update(re.findall(rf"\({path.name}#([^)]*)\)", text(page)))
    left_out = re.compile(r"^#\| *(export|exporti|hide|default_exp)( |$)", re.MULTILINE)
    for cell in code_cells(NOTEBOOKS[path.name]):
        if cell.id in linked:
            assert not left_out.search(cell.source), cell.source[:100]


@pytest.mark.parametrize(
    "where", ["a snippet that is gone", "## A heading that is gone", "import", "## The update"]
)
def test_lost_places_are_named(where):
    with pytest.raises(ValueError, match="Glossary, 'momentum': .* it should be exactly one"):
        place("momentum", "01", where, NOTEBOOKS)


def test_lost_lessons_are_named():
    with pytest.raises(ValueError, match="Glossary, 'momentum': there is no lesson 77"):
        place("momentum", "77", "import", NOTEBOOKS)
