"What a cell's metadata says is handed on to both editions of the site."

import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, new_raw_cell
from shared import APPENDIX, BACKSTAGE, LESSONS, code_cells, has_picture, read, stem

from publish.myst import Links, adapt
from publish.options import name_pictures, options_proc

ALT = 'A valley: "long", narrow, 2 < 3'


def picture(**metadata):
    "A cell with a stored picture."
    output = new_output("display_data", {"image/png": "AAAA", "text/plain": "<Figure>"})
    return new_code_cell("plot()", id="cell", metadata=metadata, outputs=[output])


def options_of(cell):
    lines = [line[2:] for line in cell.source.splitlines() if line.startswith("#|")]
    return yaml.safe_load("\n".join(lines)) or {}


def test_nbdev_calls_it():
    from nbdev.processors import FilterDefaults

    assert options_proc in FilterDefaults().xtra_procs()


@pytest.mark.parametrize(
    ("metadata", "options"),
    [
        ({}, {}),
        ({"alt": ALT}, {"fig-alt": ALT}),
        ({"jupyter": {"source_hidden": True}}, {"code-fold": True}),
        ({"jupyter": {"source_hidden": False}}, {}),
        (
            {"alt": ALT, "jupyter": {"source_hidden": True}},
            {"fig-alt": ALT, "code-fold": True},
        ),
    ],
    ids=str,
)
def test_metadata_become_options(metadata, options):
    cell = picture(**metadata)
    options_proc(cell)
    assert options_of(cell) == options and cell.source.endswith("plot()")


def test_folded_cells_that_are_exported_have_one_option():
    "nbdev folds them already, but open."
    cell = picture(jupyter={"source_hidden": True})
    cell.source = "#| code-fold: show\n#| code-summary: Exported source\nplot()"
    options_proc(cell)
    assert cell.source.count("code-fold") == 1 and options_of(cell)["code-fold"] is True


def test_text_is_left_alone():
    cell = new_markdown_cell("A text", metadata={"alt": ALT})
    options_proc(cell)
    assert cell.source == "A text"


def adapted(cell):
    "The last cell of a page, as myst-nb reads it."
    front = new_raw_cell("---\noutput-file: a.html\ntitle: A page\n---")
    return adapt(new_notebook(cells=[front, cell]), Links("a.ipynb", {})).cells[-1]


def test_sphinx_gets_the_alt_text():
    cell = picture(alt=ALT, jupyter={"source_hidden": True})
    options_proc(cell)
    page = adapted(cell)
    assert page.metadata["mystnb"]["image"]["alt"] == ALT
    assert page.metadata["tags"] == ["hide-input"] and page.source == "plot()"


def test_sphinx_refuses_a_picture_without():
    with pytest.raises(ValueError, match="a.ipynb draws a picture without alternative text"):
        adapted(picture())


def test_copies_name_their_pictures():
    named = picture(alt=ALT)
    other = picture()
    for cell in (named, other):
        name_pictures(new_notebook(cells=[cell]))
    assert named.outputs[0].metadata == {"image/png": {"alt": ALT}}
    assert other.outputs[0].metadata == {}


@pytest.mark.parametrize("path", LESSONS + APPENDIX + BACKSTAGE, ids=stem)
def test_every_stored_picture_has_an_alt_text(path):
    "In words, in its cell's metadata; nowhere in the source."
    for cell in code_cells(read(path)):
        assert "fig-alt" not in cell.source
        if has_picture(cell):
            assert len(cell.metadata.get("alt", "").split()) >= 4, cell.source[:200]


def test_a_site_does_not_say_how_far_its_maker_is():
    "Cards of begin, check and progress are left out; a guess, a quiz and a picture stay."
    card = new_output("display_data", {"text/html": '<div class="course">1 of 3'})
    plot = new_output("display_data", {"image/png": "AAAA"})
    for source, left in [
        ('check("01-update", update)', [plot]),
        ("progress()", [plot]),
        ('import numpy as np\nbegin("01")', [plot]),
        ('guess("How many?")', [card, plot]),
    ]:
        cell = new_code_cell(source, outputs=[card, plot])
        options_proc(cell)
        assert cell.outputs == left, source
