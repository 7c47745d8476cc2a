"Every link between notebooks leads somewhere: in JupyterLab, on the site, from a single file."

import json
import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from shared import BACKSTAGE, NBS, ROOT, SINGLE_FILES, each_lesson, each_single_file, read, stem

from publish import links
from publish.bundle import clean
from publish.lessons import BUNDLES, address, pyproject
from publish.links import LINK, links_proc, make_public, on_site, public, replace_links, texts
from publish.refresh import ways

PAGES = [*SINGLE_FILES, *BACKSTAGE, *(NBS / f"{name}.ipynb" for name in ("index", "glossary"))]
PAGES.append(NBS / "then_and_now.ipynb")
SITE = pyproject()["project"]["urls"]["Documentation"].rstrip("/")
COLAB = f"https://colab.research.google.com/github/{address()[19:]}/blob/{BUNDLES}/"


def links_of(path):
    "The links of a notebook to others: the name, and the id of a cell or an empty text."
    found = []
    for cell in read(path).cells:
        for holder, key in texts(cell):
            found += [match.group(2, 4) for match in LINK.finditer(holder[key])]
    return [(name, cell_id or "") for name, cell_id in found]


@pytest.mark.parametrize("path", PAGES, ids=stem)
def test_every_link_leads_somewhere(path):
    "To a notebook; to a cell that is there, and that the site has, too."
    for name, cell_id in links_of(path):
        assert on_site(path, name, cell_id).startswith(name)


@pytest.mark.parametrize("path", PAGES, ids=stem)
def test_links_have_one_form(path):
    "JupyterLab knows nothing of the site's anchors."
    for cell in read(path).cells:
        for holder, key in texts(cell):
            other = r"(?:\]\(|href=[\"'])(?:[^)\s\"':]+\.ipynb)?#(?!cell-id=)[^)\"']*|\]\(#[^)]*"
            assert re.findall(other, holder[key]) == []


def test_there_are_links_of_each_kind():
    found = {path.stem: links_of(path) for path in PAGES}
    terms = json.loads((ROOT / "data" / "glossary.json").read_text(encoding="utf-8"))
    built = [cell_id for name, cell_id in found["glossary"] if cell_id]
    assert len(built) == len(terms)
    words = []
    for path in SINGLE_FILES:
        words += [cell_id for name, cell_id in found[path.stem] if name == "glossary.ipynb"]
    assert len(words) == len(terms)
    assert len([cell_id for name, cell_id in found["then_and_now"] if cell_id]) > 100


# --- one link


@pytest.fixture
def course(tmp_path, monkeypatch):
    "A course of a lesson and an appendix."
    (tmp_path / "appendix").mkdir()
    cells = [
        new_markdown_cell("# A lesson", id="title"),
        new_markdown_cell("## The step", id="text"),
        new_markdown_cell("## The step\n\nAgain.", id="again"),
        new_markdown_cell("No heading.", id="bare"),
        new_code_cell("x = 1", id="code"),
        new_code_cell("#| export\nx = 1", id="left-out"),
    ]
    nbformat.write(new_notebook(cells=cells), tmp_path / "03_lesson.ipynb")
    nbformat.write(new_notebook(), tmp_path / "glossary.ipynb")
    nbformat.write(new_notebook(), tmp_path / "appendix" / "sheets.ipynb")
    single = [tmp_path / "03_lesson.ipynb", tmp_path / "appendix" / "sheets.ipynb"]
    monkeypatch.setattr(links, "NBS", tmp_path)
    monkeypatch.setattr(links, "single_files", lambda: single)
    return tmp_path


NAME = "03_lesson.ipynb"


@pytest.mark.parametrize(
    ("cell_id", "there"),
    [
        ("", NAME),
        ("title", NAME),
        ("text", f"{NAME}#the-step"),
        ("again", f"{NAME}#the-step-1"),
        ("code", f"{NAME}#code"),
    ],
)
def test_what_the_site_has(course, cell_id, there):
    assert on_site(course / "glossary.ipynb", NAME, cell_id) == there
    elsewhere = on_site(course / "appendix" / "sheets.ipynb", f"../{NAME}", cell_id)
    assert elsewhere == f"../{there}"


@pytest.mark.parametrize(
    ("name", "cell_id", "words"),
    [
        (NAME, "gone", r"glossary\.ipynb links to 03_lesson.ipynb#cell-id=gone: there is no such"),
        (NAME, "bare", "cell-id=bare: that cell has no heading"),
        (NAME, "left-out", "cell-id=left-out: the site leaves that cell out"),
        ("04_other.ipynb", "", r"glossary\.ipynb links to 04_other.ipynb, and there is no such"),
    ],
)
def test_a_link_to_nowhere_is_named(course, name, cell_id, words):
    with pytest.raises(ValueError, match=words):
        on_site(course / "glossary.ipynb", name, cell_id)


@pytest.mark.parametrize(
    ("name", "cell_id", "there"),
    [
        (NAME, "", f"{COLAB}03_lesson.ipynb"),
        ("appendix/sheets.ipynb", "", f"{COLAB}sheets.ipynb"),
        (NAME, "code", f"{SITE}/lesson.html#code"),
        (NAME, "again", f"{SITE}/lesson.html#the-step-1"),
        ("glossary.ipynb", "", f"{SITE}/glossary.html"),
    ],
)
def test_what_a_single_file_has(course, name, cell_id, there):
    assert public(course / NAME, name, cell_id) == there


def test_an_appendix_names_the_front_page():
    page = NBS / "appendix" / "spreadsheets.ipynb"
    assert public(page, "../index.ipynb", "") == f"{SITE}/index.html"
    assert public(page, "spreadsheets.ipynb", read(page).cells[4].id).startswith(
        f"{SITE}/appendix/spreadsheets.html#"
    )


LEFT_ALONE = (
    "[a](https://example.org/a.ipynb) [b](b.html#cell-id=c) a.ipynb#cell-id=b "
    '<a href="https://example.org/a.ipynb#cell-id=b">c</a>'
)


def test_links_are_found_in_texts_and_outputs():
    "In Markdown and in HTML; nothing else is touched."
    html = '<a href="a.ipynb#cell-id=b">x</a> <a class="y" href="c/d.ipynb">z</a>'
    outputs = [
        new_output("display_data", {"text/html": html, "text/plain": "[a](a.ipynb)"}),
        new_output("display_data", {"text/markdown": ["[a](a.ipynb)\n", "[b](b.ipynb)"]}),
        new_output("stream", text="[a](a.ipynb)"),
    ]
    cells = [
        new_markdown_cell(f"[a](a.ipynb#cell-id=b-1), [c d](../c.ipynb) {LEFT_ALONE}"),
        new_code_cell("[a](a.ipynb)", outputs=outputs),
    ]
    replace_links(cells, lambda name, cell_id: f"<{name}|{cell_id}>")
    assert cells[0].source == f"[a](<a.ipynb|b-1>), [c d](<../c.ipynb|>) {LEFT_ALONE}"
    first, second, third = cells[1].outputs
    assert first.data["text/html"] == (
        '<a href="<a.ipynb|b>">x</a> <a class="y" href="<c/d.ipynb|>">z</a>'
    )
    assert second.data["text/markdown"] == "[a](<a.ipynb|>)\n[b](<b.ipynb|>)"
    untouched = (first.data["text/plain"], third.text, cells[1].source)
    assert untouched == ("[a](a.ipynb)",) * 3


# --- what nbdev and the single files do


def test_nbdev_calls_it(course):
    from nbdev.processors import FilterDefaults

    assert links_proc in FilterDefaults().xtra_procs()
    cell = new_markdown_cell(f"[x]({NAME}#cell-id=again)")
    notebook = new_notebook(cells=[cell])
    notebook.path_ = str(course / "glossary.ipynb")
    links_proc(notebook)(cell)
    assert cell.source == f"[x]({NAME}#the-step-1)"


@each_single_file
def test_single_files_name_public_addresses(bundles, path):
    "No link of theirs needs the course beside them."
    copy = nbformat.reads(bundles[path.name].decode(), as_version=4)
    for cell in copy.cells:
        for holder, key in texts(cell):
            assert not LINK.search(holder[key])
    lesson = read(path)
    make_public(lesson, path)
    assert [cell.source for cell in lesson.cells if cell.cell_type == "markdown"] == [
        cell.source for cell in copy.cells if cell.cell_type == "markdown"
    ]
    text = copy.cells[1].source
    assert f"[All lessons]({SITE}/index.html)" in text
    for name in re.findall(r"\[[^]]*Lesson \d\d[^]]*\]\(([^)]*)\)", text):
        assert name.removeprefix(COLAB) in bundles


@each_lesson
def test_clean_copies_keep_the_ways(path):
    "They lie side by side; what opens the single file elsewhere is left out."
    assert clean(path).cells[1].source == ways(path)
