"What JupyterLab gets of the course's files from `CourseContents`; in a browser: whole/."

import asyncio
import os
import shutil

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_output
from shared import LESSONS, NBS, read

from helpers.course import front, lab
from helpers.course.front import lessons, remember


@pytest.fixture
def course(learner, monkeypatch):
    "A copy of the notebooks that the learner's JupyterLab takes for the course's own."
    folder = (learner / "nbs").resolve()
    shutil.copytree(NBS, folder, ignore=shutil.ignore_patterns("backstage", ".ipynb_checkpoints"))
    monkeypatch.setattr(front, "NOTEBOOKS", folder)
    monkeypatch.setattr(lab, "NOTEBOOKS", folder)
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(learner / "jupyter"))  # signatures of notebooks
    return folder


def get(folder, path, **options):
    "What JupyterLab, started in a folder, gets when it opens a path."
    contents = lab.CourseContents(root_dir=str(folder))
    return asyncio.run(contents.get(path, **options))


def opened(folder, path):
    "The notebook that JupyterLab opens."
    return get(folder, path)["content"]


def trust(notebook):
    "Whether the stored outputs of its code cells are shown: {True}, {False}, or both."
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return {cell["metadata"]["trusted"] for cell in cells}


# --- trust

PAGES = ["index.ipynb", LESSONS[0].name, "appendix/spreadsheets.ipynb"]
OTHERS = ["18_own_notes.ipynb", "01_gradient_descent-Copy1.ipynb", "own/index.ipynb"]


@pytest.mark.parametrize("name", PAGES)
def test_pages_of_the_course_are_trusted(course, name):
    assert trust(opened(course, name)) == {True}


@pytest.mark.parametrize("name", OTHERS)
def test_a_notebook_that_somebody_puts_there_is_opened_as_ever(course, name):
    (course / "own").mkdir()
    shutil.copy(LESSONS[0], course / name)
    notebook = opened(course, name)
    assert trust(notebook) == {False}
    assert "language_info" not in notebook["metadata"]


def test_a_folder_elsewhere_is_not_the_course(course):
    elsewhere = course.parent / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(LESSONS[0], elsewhere)
    assert trust(opened(elsewhere, LESSONS[0].name)) == {False}


def test_the_list_of_pages_names_notebooks():
    pages = lab.course_pages()
    assert {path.name for path in LESSONS} < pages
    assert all((NBS / page).is_file() for page in pages)


# --- a page that is only read stays clean


def test_the_language_is_what_the_kernel_says_of_it():
    from ipykernel.ipkernel import IPythonKernel

    assert lab.LANGUAGE == IPythonKernel.language_info


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_complete_and_its_file_stays(course, name):
    from jupyter_client.kernelspec import KernelSpecManager

    before = (course / name).read_bytes()
    notebook = nbformat.from_dict(opened(course, name))
    spec = KernelSpecManager().get_kernel_spec("python3")
    assert notebook.metadata.kernelspec == {
        "name": "python3",
        "display_name": spec.display_name,
        "language": spec.language,
    }
    assert notebook.metadata.language_info == lab.LANGUAGE
    nbformat.validate(notebook)
    assert [cell.source for cell in notebook.cells] == [
        cell.source for cell in read(course / name).cells
    ]
    assert (course / name).read_bytes() == before


def test_a_kernel_that_the_learner_chose_stays(course):
    path = course / LESSONS[0].name
    notebook = read(path)
    own = {"name": "mine", "display_name": "My kernel", "language": "python"}
    notebook.metadata.kernelspec = own
    nbformat.write(notebook, path)
    metadata = opened(course, path.name)["metadata"]
    assert metadata["kernelspec"] == own
    assert "language_info" not in metadata


def widget(name, **state):
    return {"model_name": name, "model_module": "@jupyter-widgets/controls", "state": state}


PICTURE = {"data": "iVBORw0KGgo=", "path": ["value"], "encoding": "base64"}
MODELS = {
    "box": widget("VBoxModel", children=["IPY_MODEL_slider", "IPY_MODEL_image"]),
    "slider": widget("IntSliderModel", value=5),
    "image": {**widget("ImageModel", _dom_classes=["course-live"]), "buffers": [PICTURE]},
    "page": widget("HTMLModel", _dom_classes=["course-live"], value="<table></table>"),
}
IMAGE = '<img src="data:image/png;base64,iVBORw0KGgo=" alt="A &quot;line&quot;">'
STILLS = {
    "box": f"{IMAGE}<p>{lab.AT_REST}</p>",
    "page": f"<table></table><p>{lab.AT_REST}</p>",
    "slider": None,
    "unknown": None,
}


def with_widget(course, model):
    "The first lesson, with nothing but a cell that shows a widget, as a learner saved it."
    path = course / LESSONS[0].name
    view = {lab.WIDGET_VIEW: {"model_id": model}, "text/plain": "VBox(children=(IntSlider("}
    cell = new_code_cell("live(draw)", outputs=[new_output("display_data", view)])
    cell.metadata.alt = 'A "line"'
    notebook = read(path)
    notebook.cells = [cell]
    notebook.metadata.widgets = {lab.WIDGET_STATE: {"state": MODELS}}
    nbformat.write(notebook, path)
    return path.name


@pytest.mark.parametrize("model", STILLS)
def test_widgets_without_a_kernel_show_what_they_showed_last(course, model):
    notebook = opened(course, with_widget(course, model))
    assert "widgets" not in notebook["metadata"]
    [[output]] = [cell["outputs"] for cell in notebook["cells"]]
    assert output["data"].get("text/html") == STILLS[model]
    assert output["data"]["text/plain"] == lab.AT_REST
    assert lab.WIDGET_VIEW not in output["data"]


def has_widget(contents, name):
    notebook = asyncio.run(contents.get(name))["content"]
    [[output]] = [cell["outputs"] for cell in notebook["cells"]]
    assert (lab.WIDGET_VIEW in output["data"]) == ("widgets" in notebook["metadata"])
    return lab.WIDGET_VIEW in output["data"]


def test_widgets_live_where_a_kernel_runs(course, monkeypatch):
    "Those that were there before it began are dead until the page is saved."
    kernels = []

    async def has_kernel(contents, path):
        return path in kernels

    monkeypatch.setattr(lab.CourseContents, "_has_kernel", has_kernel)
    contents = lab.CourseContents(root_dir=str(course))
    name = with_widget(course, "box")
    assert not has_widget(contents, name)
    kernels.append(name)
    assert not has_widget(contents, name)
    later = (course / name).stat().st_mtime + 5
    os.utime(course / name, (later, later))
    assert has_widget(contents, name)
    kernels.clear()
    assert not has_widget(contents, name)


# --- the front page


def shown(folder, path="index.ipynb"):
    "What stands beneath the front page's cell, by its kind."
    cells = opened(folder, path)["cells"]
    [cell] = [cell for cell in cells if cell["source"].endswith("FrontPage()")]
    [output] = cell["outputs"]
    return output["data"]


def test_the_front_page_is_filled_in(course):
    lesson = lessons(course)[0]
    remember(lesson.exercises[0])
    data = shown(course)
    tile = BeautifulSoup(data["text/html"], "html.parser").select_one(".course-tiles > li")
    assert f"1 of {len(lesson.exercises)} solved" in tile.get_text()
    assert f"1&nbsp;of&nbsp;{len(lesson.exercises)}&nbsp;solved" in data["text/markdown"]
    assert data["text/plain"] == data["text/markdown"]


def test_the_front_page_asks_for_itself_again(course):
    "By the path that JupyterLab's server has for it; the stored one, and so the site, asks nobody."
    asked = '"api/contents/" + "{path}?type=notebook"'
    assert asked.format(path="index.ipynb") in shown(course)["text/html"]
    above = shown(course.parent, "nbs/index.ipynb")
    assert asked.format(path="nbs/index.ipynb") in above["text/html"]
    assert "api/contents" not in (NBS / "index.ipynb").read_text(encoding="utf-8")


@pytest.fixture
def own_files(course):
    "Names of a learner's files that look like those of lessons."
    (course / "18_own_notes.ipynb").write_text('{"cells": [{"source": ["My notes"]}]}')
    (course / "19_broken.ipynb").write_text('{"cells": [')
    (course / "20_empty.ipynb").touch()
    (course / "21_folder.ipynb").mkdir()
    return {"18_own_notes.ipynb", "19_broken.ipynb", "20_empty.ipynb", "21_folder.ipynb"}


def test_a_learners_files_do_not_stop_the_front_page(course, own_files):
    tiles = BeautifulSoup(shown(course)["text/html"], "html.parser").select(".course-tiles > li")
    assert len(tiles) == len(LESSONS)


def test_the_stored_front_page_is_shown_where_a_new_one_fails(course, monkeypatch):
    def fails(page):
        raise RuntimeError

    monkeypatch.setattr(front.FrontPage, "_repr_html_", fails)
    page = shown(course)["text/html"]
    assert "course-tiles" in page and "api/contents" not in page


def test_who_asks_without_content_gets_none(course):
    assert get(course, "index.ipynb", content=False)["content"] is None
    assert get(course, "")["type"] == "directory"


# --- the file browser


def test_makers_files_are_hidden_but_served(course, own_files):
    (course / "nbdev.yml").touch()
    listed = {entry["name"] for entry in get(course, "")["content"]}
    pages = {page.split("/")[0] for page in lab.course_pages()} - {"backstage"}
    assert listed == pages | own_files
    drawing = get(course, "images/lessons/01.svg", type="file")
    assert drawing["content"] == (NBS / "images/lessons/01.svg").read_text(encoding="utf-8")
