"""The site: what stops its build, packages from npm, the published edition.

The site itself: whole/test_site.py."""

import base64
import hashlib
import io
import os
import shutil
import sys
import tarfile
from types import SimpleNamespace

import nbformat
import pytest
import yaml
from nbformat.v4 import new_markdown_cell, new_notebook, new_raw_cell
from shared import read_workflow

from publish import npm, site
from publish.lessons import pyproject

NBDEV = pyproject()["tool"]["nbdev"]


# --- what stops the build


@pytest.fixture
def small_course(tmp_path, monkeypatch):
    "A course of a front page and two lessons, as nbdev has processed it."
    monkeypatch.chdir(tmp_path)  # a build changes the working folder
    monkeypatch.setattr(site, "ROOT", tmp_path)
    monkeypatch.setattr(site, "processed", lambda: tmp_path / "_proc")
    course = SimpleNamespace(sidebar=tmp_path / "nbs" / "sidebar.yml", folder=tmp_path / "_proc")
    for folder in (course.sidebar.parent, course.folder):
        folder.mkdir()

    def write(name, page, text=""):
        facts = {"output-file": f"{page}.html", "title": "A page", "description": "It is short."}
        front = new_raw_cell(f"---\n{yaml.safe_dump(facts)}---")
        nbformat.write(new_notebook(cells=[front, new_markdown_cell(text)]), course.folder / name)

    def list_pages(*names):
        sidebar = {"website": {"sidebar": {"contents": list(names)}}}
        course.sidebar.write_text(yaml.safe_dump(sidebar), encoding="utf-8")

    course.write = write
    course.list_pages = list_pages
    write("index.ipynb", "index", "Begin with [the first](01_sum.ipynb).")
    write("01_sum.ipynb", "sum")
    write("02_product.ipynb", "product")
    list_pages("index.ipynb", "01_sum.ipynb", "02_product.ipynb")
    return course


def test_sources_are_written(small_course, tmp_path):
    "Nothing is wrong with the small course, so that the next tests can spoil it."
    site.write_sources(small_course.folder, tmp_path / "source")
    written = {path.name for path in (tmp_path / "source").iterdir()}
    assert written == {"index.ipynb", "sum.ipynb", "product.ipynb"}


def test_sections_in_sections_have_both_captions(small_course):
    inner = {"section": "Data", "contents": ["find.ipynb"]}
    outer = {"section": "Behind the scenes", "contents": ["first.ipynb", inner]}
    small_course.list_pages("index.ipynb", outer)
    assert site.sections() == [
        ("", ["index.ipynb"]),
        ("Behind the scenes", ["first.ipynb"]),
        ("Behind the scenes: Data", ["find.ipynb"]),
    ]


def stopped(words):
    "The build stops with these words."
    return pytest.raises(SystemExit, match=f"make docs: {words}")


def test_a_renamed_lesson_stops_the_build(small_course):
    folder = small_course.folder
    (folder / "01_sum.ipynb").rename(folder / "01_total.ipynb")
    small_course.list_pages("index.ipynb", "01_total.ipynb", "02_product.ipynb")
    with stopped(r"index\.ipynb links to 01_sum\.ipynb, which nbs/sidebar.yml does not list"):
        site.make_docs()


def test_twin_names_stop_the_build(small_course):
    small_course.write("02_sum.ipynb", "sum")
    small_course.list_pages("index.ipynb", "01_sum.ipynb", "02_product.ipynb", "02_sum.ipynb")
    with stopped(r"01_sum\.ipynb and 02_sum\.ipynb would both become sum\.html"):
        site.make_docs()


def test_a_page_that_is_not_listed_stops_the_build(small_course):
    small_course.write("03_quotient.ipynb", "quotient")
    with stopped("Either nbs/sidebar.yml or the folder nbs lacks 03_quotient"):
        site.make_docs()


def test_a_page_that_is_gone_stops_the_build(small_course):
    (small_course.folder / "02_product.ipynb").unlink()
    with stopped("Either nbs/sidebar.yml or the folder nbs lacks 02_product"):
        site.make_docs()


def test_what_links_to_a_changed_notebook_is_processed_anew(small_course, tmp_path):
    "Its headings may be others; what links to the notebook, not to a cell, stays."
    cells = {
        "01_sum": "A text",
        "02_product": "[a](01_sum.ipynb)",
        "03": "[a](01_sum.ipynb#cell-id=b)",
    }
    now = small_course.folder.stat().st_mtime
    for name, text in cells.items():
        path = tmp_path / "nbs" / f"{name}.ipynb"
        nbformat.write(new_notebook(cells=[new_markdown_cell(text)]), path)
        os.utime(path, (now - 9, now - 9))
        small_course.write(f"{name}.ipynb", name)
    os.utime(small_course.folder, (now, now))
    site.forget_links(small_course.folder)
    assert (small_course.folder / "03.ipynb").is_file()
    os.utime(tmp_path / "nbs" / "01_sum.ipynb", (now + 9, now + 9))
    site.forget_links(small_course.folder)
    assert not (small_course.folder / "03.ipynb").exists()
    assert (small_course.folder / "02_product.ipynb").is_file()


# --- the folder of the site


class FakeSphinx:
    "It writes each page's source as the page, and two files that are not for the site."

    statuscode = 0

    def __init__(self, source, configuration, html, *words, **options):
        assert (configuration / "conf.py").is_file()
        self.source = source
        self.html = html

    def build(self):
        self.html.mkdir(exist_ok=True)
        for path in self.source.glob("*.ipynb"):
            shutil.copy(path, (self.html / path.name).with_suffix(".html"))
        for name in (".buildinfo", "objects.inv"):
            (self.html / name).write_text("")


@pytest.fixture
def fake_sphinx(tmp_path, monkeypatch):
    monkeypatch.setattr("sphinx.application.Sphinx", FakeSphinx)
    with tarfile.open(tmp_path / "npm.tgz", "w:gz") as package:
        package.addfile(tarfile.TarInfo("package/es5/tex-svg.js"), io.BytesIO())
    monkeypatch.setattr(site, "npm_package", lambda name, cache: tmp_path / "npm.tgz")


def test_own_files_stay_in_the_site(small_course, fake_sphinx, tmp_path, capsys):
    "Of the last build only what nobody has changed is replaced or removed."
    pages = tmp_path / "_site"
    assert site.build() and (pages / "sum.html").is_file()
    assert not list(pages.glob(".buildinfo*")) and not (pages / "objects.inv").exists()
    (pages / "CNAME").write_text("course.example.org")
    mine = (pages / "sum.html").read_text(encoding="utf-8") + "<!-- mine -->"
    (pages / "sum.html").write_text(mine, encoding="utf-8")
    small_course.write("index.ipynb", "index", "A new word.")
    (small_course.folder / "02_product.ipynb").unlink()
    small_course.list_pages("index.ipynb", "01_sum.ipynb")
    capsys.readouterr()
    assert site.build()
    assert (pages / "CNAME").read_text() == "course.example.org"
    assert (pages / "sum.html").read_text(encoding="utf-8") == mine
    assert "made them: sum.html." in capsys.readouterr().out
    assert "A new word." in (pages / "index.html").read_text(encoding="utf-8")
    assert not (pages / "product.html").exists()


# --- packages from npm

NPM = f"""#!{sys.executable}
import os, sys
from pathlib import Path

if os.environ["GIVES"] == "nothing":
    sys.exit("no route to the registry")
name = sys.argv[2].replace("@", "-") + ".tgz"
Path(sys.argv[-1], name).write_text(os.environ["GIVES"])
"""


@pytest.fixture
def package(learner, tmp_path, monkeypatch):
    "A package, and a program npm that writes as the package what it is told to."
    program = tmp_path / "bin" / "npm"
    program.parent.mkdir()
    program.write_text(NPM)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    digest = base64.b64encode(hashlib.sha512(b"good").digest()).decode()
    monkeypatch.setattr(npm, "PACKAGES", {"tool": ("1.0", f"sha512-{digest}")})
    folder = tmp_path / "npm"

    def get():
        return npm.npm_package("tool", folder)

    return SimpleNamespace(folder=folder, get=get, program=program)


def test_package_is_fetched_once(package, monkeypatch):
    monkeypatch.setenv("GIVES", "good")
    assert package.get().read_text() == "good"
    package.program.unlink()
    assert package.get().read_text() == "good"


def test_another_package_is_refused(package, monkeypatch):
    monkeypatch.setenv("GIVES", "bad")
    with pytest.raises(OSError, match="is not what was pinned"):
        package.get()
    assert list(package.folder.iterdir()) == []


def test_spoilt_package_is_fetched_again(package, monkeypatch):
    package.folder.mkdir()
    (package.folder / "tool-1.0.tgz").write_text("half")
    monkeypatch.setenv("GIVES", "good")
    assert package.get().read_text() == "good"


def test_without_a_network_there_is_a_sentence(package, monkeypatch):
    monkeypatch.setenv("GIVES", "nothing")
    words = r"could not be fetched from npm \(no route to the registry\).*put tool-1.0.tgz into"
    with pytest.raises(OSError, match=words):
        package.get()
    package.program.unlink()  # then from the registry's own address, which nobody answers here
    with pytest.raises(OSError, match="could not be fetched from npm"):
        package.get()


# --- the published edition


def test_nbdev_knows_our_settings():
    from nbdev.config import nbdev_defaults

    # nbdev.fast.ai/api/config.html; the last: nbdev.fast.ai/api/clean.html
    known = {*nbdev_defaults, "title", "lib_path", "allowed_cell_metadata_keys"}
    assert set(NBDEV) <= known
    assert NBDEV["custom_sidebar"] is True and NBDEV["doc_path"] == "_docs"


def test_pages_workflow():
    workflow = read_workflow("pages")
    build = workflow["jobs"]["build"]
    deploy = workflow["jobs"]["deploy"]
    steps = build["steps"] + deploy["steps"]
    assert [step["uses"].split("@")[0] for step in steps if "uses" in step] == [
        "actions/checkout",
        "actions/setup-python",
        "quarto-dev/quarto-actions/setup",
        "actions/configure-pages",
        "actions/upload-pages-artifact",
        "actions/deploy-pages",
    ]
    packages, course, docs = [step for step in build["steps"] if "run" in step]
    assert "--requirement requirements.lock" in packages["run"]
    assert "--no-deps" in course["run"]
    assert docs["run"] == "nbdev-docs"
    # A console script finds what is installed, and our processors (`doc_procs`) are not.
    assert docs["env"] == {"PYTHONPATH": "."}
    assert build["steps"][-1]["with"]["path"] == NBDEV["doc_path"]
    assert workflow["permissions"] == {"contents": "read"}
    assert deploy["permissions"] == {"pages": "write", "id-token": "write"}
    assert deploy["needs"] == "build"
