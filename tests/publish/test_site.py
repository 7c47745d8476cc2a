"The site: what stops its build, packages from npm, the settings of the published edition. (The site itself: whole/test_site.py.)"

import io
import shutil
import sys
import tarfile
from types import SimpleNamespace

import nbformat
import pytest
import yaml
from nbformat.v4 import new_markdown_cell, new_notebook, new_raw_cell
from shared import ROOT

from publish import site
from publish.lessons import pyproject

PYPROJECT = pyproject()


# --- what stops the build


@pytest.fixture
def small_course(tmp_path, monkeypatch):
    "A course of a front page and two lessons, as nbdev has processed it; `make docs` begins with it."
    monkeypatch.chdir(tmp_path)  # a build changes the working folder
    monkeypatch.setattr(site, "ROOT", tmp_path)
    monkeypatch.setattr(site, "processed", lambda: tmp_path / "_proc")
    course = SimpleNamespace(sidebar=tmp_path / "nbs" / "sidebar.yml", folder=tmp_path / "_proc")
    for folder in (course.sidebar.parent, course.folder):
        folder.mkdir()

    def write(name, page, text=""):
        front = new_raw_cell(
            f"---\noutput-file: {page}.html\ntitle: A page\ndescription: It is short.\n---"
        )
        nbformat.write(new_notebook(cells=[front, new_markdown_cell(text)]), course.folder / name)

    def list_pages(*names):
        sidebar = {"website": {"sidebar": {"contents": list(names)}}}
        course.sidebar.write_text(yaml.safe_dump(sidebar), encoding="utf-8")

    course.write, course.list_pages = write, list_pages
    write("index.ipynb", "index", "Begin with [the first](01_sum.ipynb).")
    write("01_sum.ipynb", "sum")
    write("02_product.ipynb", "product")
    list_pages("index.ipynb", "01_sum.ipynb", "02_product.ipynb")
    return course


def test_sources_are_written(small_course, tmp_path):
    "Nothing is wrong with the small course, so that the next test can spoil it."
    site.write_sources(small_course.folder, tmp_path / "source")
    written = {path.name for path in (tmp_path / "source").iterdir()}
    assert written == {"index.ipynb", "sum.ipynb", "product.ipynb"}


def rename_lesson(course):
    (course.folder / "01_sum.ipynb").rename(course.folder / "01_total.ipynb")
    course.list_pages("index.ipynb", "01_total.ipynb", "02_product.ipynb")


def give_two_the_same_name(course):
    course.write("02_sum.ipynb", "sum")
    course.list_pages("index.ipynb", "01_sum.ipynb", "02_product.ipynb", "02_sum.ipynb")


SPOILT = {
    rename_lesson: r"make docs: index\.ipynb links to 01_sum\.ipynb, which nbs/sidebar.yml does not list",
    give_two_the_same_name: r"make docs: 0._sum\.ipynb and 0._sum\.ipynb would both become sum\.html",
    lambda course: course.write(
        "03_quotient.ipynb", "quotient"
    ): r"make docs: Either nbs/sidebar.yml or the folder nbs lacks 03_quotient",
    lambda course: (
        course.folder / "02_product.ipynb"
    ).unlink(): r"make docs: Either nbs/sidebar.yml or the folder nbs lacks 02_product",
}


@pytest.mark.parametrize(
    "spoil, words", SPOILT.items(), ids=["renamed", "twin names", "not listed", "gone"]
)
def test_renamed_lesson_and_twin_names_stop_the_build(small_course, spoil, words):
    spoil(small_course)
    with pytest.raises(SystemExit, match=words):
        site.main([])


# --- the folder of the site


def test_own_files_stay_in_the_site(small_course, tmp_path, monkeypatch, capsys):
    "Of the last build only what nobody has changed is replaced or removed."

    class Sphinx:
        "It writes each page's source as the page, and two files that are not for the site."

        statuscode = 0

        def __init__(self, source, _, html, *words, **named):
            self.source, self.html = source, html

        def build(self):
            self.html.mkdir(exist_ok=True)
            for path in self.source.glob("*.ipynb"):
                shutil.copy(path, (self.html / path.name).with_suffix(".html"))
            for name in (".buildinfo", "objects.inv"):
                (self.html / name).write_text("")

    monkeypatch.setattr("sphinx.application.Sphinx", Sphinx)
    with tarfile.open(tmp_path / "npm.tgz", "w:gz") as package:
        package.addfile(tarfile.TarInfo("package/es5/tex-svg.js"), io.BytesIO())
    monkeypatch.setattr(site, "npm_package", lambda name, cache: tmp_path / "npm.tgz")
    pages = tmp_path / "_site"
    assert site.build() == 0 and (pages / "sum.html").is_file()
    assert not list(pages.glob(".buildinfo*")) and not (pages / "objects.inv").exists()
    (pages / "CNAME").write_text("course.example.org")
    mine = (pages / "sum.html").read_text(encoding="utf-8") + "<!-- mine -->"
    (pages / "sum.html").write_text(mine, encoding="utf-8")
    small_course.write("index.ipynb", "index", "A new word.")
    (small_course.folder / "02_product.ipynb").unlink()
    small_course.list_pages("index.ipynb", "01_sum.ipynb")
    capsys.readouterr()
    assert site.build() == 0
    assert (pages / "CNAME").read_text() == "course.example.org"
    assert (pages / "sum.html").read_text(encoding="utf-8") == mine
    assert "made them: sum.html." in capsys.readouterr().out
    assert "A new word." in (pages / "index.html").read_text(encoding="utf-8")
    assert not (pages / "product.html").exists()


# --- packages from npm


@pytest.fixture
def npm(learner, tmp_path, monkeypatch):
    "A folder for packages, and a program npm that writes what it is told to."
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "npm"
    program.write_text(
        f'#!{sys.executable}\nimport os, sys\nfrom pathlib import Path\nif os.environ["GIVES"] == "nothing": sys.exit("no route to the registry")\n'
        'Path(sys.argv[-1], sys.argv[2].replace("@", "-") + ".tgz").write_text(os.environ["GIVES"])\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    import base64
    import hashlib

    monkeypatch.setattr(
        site,
        "PACKAGES",
        {"tool": ("1.0", "sha512-" + base64.b64encode(hashlib.sha512(b"good").digest()).decode())},
    )
    return SimpleNamespace(
        folder=tmp_path / "npm",
        get=lambda: site.npm_package("tool", tmp_path / "npm"),
        program=program,
    )


def test_package_is_fetched_once(npm, monkeypatch):
    monkeypatch.setenv("GIVES", "good")
    assert npm.get().read_text() == "good"
    npm.program.unlink()
    assert npm.get().read_text() == "good"


def test_another_package_is_refused(npm, monkeypatch):
    monkeypatch.setenv("GIVES", "bad")
    with pytest.raises(OSError, match="is not what was pinned"):
        npm.get()
    assert list(npm.folder.iterdir()) == []


def test_spoilt_package_is_fetched_again(npm, monkeypatch):
    npm.folder.mkdir()
    (npm.folder / "tool-1.0.tgz").write_text("half")
    monkeypatch.setenv("GIVES", "good")
    assert npm.get().read_text() == "good"


def test_without_a_network_there_is_a_sentence(npm, monkeypatch):
    monkeypatch.setenv("GIVES", "nothing")
    with pytest.raises(
        OSError,
        match=r"could not be fetched from npm \(no route to the registry\).*put tool-1.0.tgz into",
    ):
        npm.get()
    npm.program.unlink()  # then from the registry's own address, which nobody answers here
    with pytest.raises(OSError, match="could not be fetched from npm"):
        npm.get()


# --- the published edition


def test_nbdev_knows_our_settings():
    from nbdev.config import nbdev_defaults

    known = set(nbdev_defaults) | {
        "title",
        "lib_path",
        "allowed_cell_metadata_keys",
    }  # nbdev.fast.ai/api/config.html; the last: nbdev.fast.ai/api/clean.html
    assert set(PYPROJECT["tool"]["nbdev"]) <= known
    assert (
        PYPROJECT["tool"]["nbdev"]["custom_sidebar"] is True
        and PYPROJECT["tool"]["nbdev"]["doc_path"] == "_docs"
    )


def test_pages_workflow():
    workflow = yaml.safe_load(
        (ROOT / ".github" / "workflows" / "pages.yml").read_text(encoding="utf-8")
    )
    build, deploy = workflow["jobs"]["build"], workflow["jobs"]["deploy"]
    used = [
        step["uses"].split("@")[0] for step in build["steps"] + deploy["steps"] if "uses" in step
    ]
    assert used == [
        "actions/checkout",
        "actions/setup-python",
        "quarto-dev/quarto-actions/setup",
        "actions/configure-pages",
        "actions/upload-pages-artifact",
        "actions/deploy-pages",
    ]
    commands = [step["run"] for step in build["steps"] if "run" in step]
    assert (
        "--requirement requirements.lock" in commands[0]
        and "--no-deps" in commands[1]
        and commands[-1] == "nbdev-docs"
    )
    assert build["steps"][-1]["with"]["path"] == PYPROJECT["tool"]["nbdev"]["doc_path"]
    assert (
        workflow["permissions"] == {"contents": "read"}
        and deploy["permissions"] == {"pages": "write", "id-token": "write"}
        and deploy["needs"] == "build"
    )
