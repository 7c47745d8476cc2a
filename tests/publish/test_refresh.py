"The two pages that are made from the lessons: every claim and every term is there, every link leads somewhere, and they are up to date."

import copy
import json
import re
from collections import Counter

import nbformat
import pytest
from shared import LESSONS, ROOT

from publish.refresh import (
    claims,
    decided,
    headings,
    lessons,
    place,
    refresh_pages,
    slug,
    then_and_now_page,
)

PAGES = {
    name: nbformat.read(ROOT / "nbs" / f"{name}.ipynb", as_version=4)
    for name in ("then_and_now", "glossary")
}
TERMS = json.loads((ROOT / "data" / "glossary.json").read_text(encoding="utf-8"))
NOTEBOOKS = lessons()


def text(notebook):
    return "\n\n".join(cell.source for cell in notebook.cells)


def anchors(notebook):
    return {anchor for _, anchor in headings(notebook)} | {
        cell.id for cell in notebook.cells if cell.cell_type == "code"
    }


def test_pages_are_up_to_date():
    "Else: python -m publish.lessons refresh."
    assert refresh_pages() == []


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
    assert {cell.cell_type for cell in notebook.cells} == {
        "markdown"
    } and notebook.metadata.kernelspec.name == "python3"
    assert notebook.cells[0].source.startswith("# ") and "\n> " in notebook.cells[0].source
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)


def test_every_claim_is_there():
    "With its verdict in words beside it; the counts are those of the stored outputs, of the table and of the README."
    page, found = text(PAGES["then_and_now"]), Counter()
    for name, notebook in NOTEBOOKS.items():
        part = page.partition(f"## Lesson {name[:2]}:")[2].partition("\n## ")[0]
        for row in claims(notebook)[1]:
            found[row["verdict"]] += 1
            words = {"holds": "Holds", "in part": "In part", "does not hold": "Does not hold"}[
                row["verdict"]
            ]
            assert f"{row['said']}\n\n   **{words}:** {row['found here']}. Decided in [" in part, (
                row
            )
    assert len(NOTEBOOKS) == len(LESSONS) == 13
    counts = [found[verdict] for verdict in ("holds", "in part", "does not hold")]
    assert (
        f"| all | {' | '.join(map(str, counts))} |" in page
        and f"> {sum(counts)} claims of the lectures" in page
    )
    assert f"Of {sum(counts)} claims" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_a_claim_must_name_its_section():
    notebook = NOTEBOOKS["03_mnist_sgd.ipynb"]
    assert (
        decided("The loop", notebook, "c")
        == "[The loop, once and for all]({}#the-loop-once-and-for-all)"
    )
    assert decided("The training step", notebook, "c").endswith("#the-training-step)") and decided(
        "Exercise: the training step", notebook, "c"
    ).endswith("#the-training-step-1)")
    assert decided("here", notebook, "c") == "[the table's own cell]({}#c)"
    assert decided("A module, A hidden layer", notebook, "c").count("](") == 2
    with pytest.raises(ValueError, match="no section is called so"):
        decided("A section that was renamed", notebook, "c")
    with pytest.raises(ValueError, match="may mean any of"):
        decided("The", notebook, "c")


def test_strange_tables_are_refused(monkeypatch):
    notebook = copy.deepcopy(NOTEBOOKS["01_gradient_descent.ipynb"])
    [cell] = [cell for cell in notebook.cells if cell.id == claims(notebook)[0]]
    monkeypatch.setattr("publish.refresh.lessons", lambda: {"01_gradient_descent.ipynb": notebook})
    cell.outputs[0]["data"]["text/markdown"] = cell.outputs[0]["data"]["text/markdown"].replace(
        "| in part |", "| perhaps |"
    )
    with pytest.raises(ValueError, match="unknown verdict perhaps"):
        then_and_now_page()
    cell.outputs = []
    with pytest.raises(ValueError, match="no stored output"):
        then_and_now_page()


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


def test_terms():
    "Each once, in one sentence, from every lesson."
    names = [entry["term"].lower() for entry in TERMS]
    assert 70 <= len(names) <= 110 and not [
        name for name, count in Counter(names).items() if count > 1
    ]
    assert {entry["lesson"] for entry in TERMS} == {path.name[:2] for path in LESSONS}
    for entry in TERMS:
        assert set(entry) == {"term", "definition", "lesson", "where"}
        assert (
            re.fullmatch(r'[A-Z“"].+[^.]\.', entry["definition"])
            and ". " not in entry["definition"]
        ), entry
        assert not re.match(r"(the|an?) \w+ (we|you)", entry["definition"], re.I)
    page = text(PAGES["glossary"])
    assert [
        re.search(r"\*\*(.+?)\*\*", line)[1] for line in page.splitlines() if line.startswith("**")
    ] == sorted((entry["term"] for entry in TERMS), key=lambda term: (term.lower(), term))
    for entry in TERMS:
        begin = f"**{entry['term']}**: {entry['definition']} Built in [{entry['lesson']} "
        assert re.search(rf"{re.escape(begin)}[^\]]*\]\({entry['lesson']}_\w+\.ipynb#", page), entry


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_linked_cells_are_on_the_site(path):
    "nbdev leaves out cells with `#| export` or `#| hide`; those with `#| exports` stay."
    linked = {
        anchor
        for page in PAGES.values()
        for anchor in re.findall(rf"\({path.name}#([^)]*)\)", text(page))
    }
    for cell in NOTEBOOKS[path.name].cells:
        if cell.cell_type == "code" and cell.id in linked:
            assert not re.search(
                r"^#\| *(export|exporti|hide|default_exp)( |$)", cell.source, re.M
            ), cell.source[:100]


def test_lost_places_are_named():
    for where in ("a snippet that is gone", "## A heading that is gone", "import", "## The update"):
        with pytest.raises(ValueError, match="Glossary, 'momentum': .* it should be exactly one"):
            place("momentum", "01", where, NOTEBOOKS)
    with pytest.raises(ValueError, match="Glossary, 'momentum': there is no lesson 77"):
        place("momentum", "77", "import", NOTEBOOKS)
