"""The site that `make docs` builds, once for all tests that want it, and a tab for its pages.

These tests are of the group "site": one worker builds it."""

import functools
import http.server
import os
import shutil
import subprocess
import sys
import threading
from types import SimpleNamespace

import nbformat
import pytest
from shared import NBS, ROOT, copy_course, missing, read

from publish import frames
from publish.npm import npm_package

# --- building


def run(folder, *command, path=""):
    "Run Python there as a learner without settings, data and network; exit code and words."
    env = {name: value for name, value in os.environ.items() if not name.startswith("HELPERS_")}
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        env[name] = "http://127.0.0.1:9"
    env["PYTHONPATH"] = str(folder)
    env["PATH"] = f"{path}{os.pathsep}{os.environ['PATH']}"
    program = [sys.executable, *command]
    done = subprocess.run(program, cwd=folder, env=env, capture_output=True, text=True, timeout=600)
    return done.returncode, done.stdout + done.stderr


def add_a_word(path):
    "Change the last text of a notebook."
    notebook = read(path)
    texts = [cell for cell in notebook.cells if cell.cell_type == "markdown"]
    texts[-1].source += "\n\nThis word is new."
    nbformat.write(notebook, path)


def copy_cache(course):
    "What has a network, or takes a minute, is kept in the project for the next time."
    cache = ROOT / "data" / "cache"
    try:
        npm_package("mathjax", cache / "npm")
    except OSError as error:
        missing(str(error))
    shutil.copytree(cache / "npm", course / "data" / "cache" / "npm")
    (course / "data" / "cache" / "frames").mkdir()
    for stem in frames.GRID:
        path = NBS / f"{stem}.ipynb"
        frames.stored(path)
        shutil.copy(frames.cached(path), course / "data" / "cache" / "frames")


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    "The site, built twice: the second time after a word in lesson 01 has changed."
    course = copy_course(tmp_path_factory.mktemp("course"))
    copy_cache(course)
    code, first = run(course, "-m", "publish", "site")
    assert code == 0, first
    folder = course / "_site"
    written = {path: path.stat().st_mtime_ns for path in folder.rglob("*.html")}
    add_a_word(course / "nbs" / "01_gradient_descent.ipynb")
    code, second = run(course, "-m", "publish", "site")
    assert code == 0, second
    return SimpleNamespace(course=course, folder=folder, said=(first, second), written=written)


# --- in a browser


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="session")
def address(site):
    "Where the site is served."
    handler = functools.partial(Quiet, directory=site.folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


OWN = ("http://127.0.0.1", "file:", "data:", "blob:")


@pytest.fixture
def tab(chromium):
    """Open a page.

    When the test is over, nothing may have been asked of another address, nothing may have
    failed, and no error been reported."""
    context = chromium.new_context(
        viewport={"width": 1280, "height": 900}, permissions=["clipboard-read", "clipboard-write"]
    )
    page = context.new_page()
    wrong = []

    def note_message(message):
        if message.type == "error":
            wrong.append(message.text)

    def note_request(request):
        if not request.url.startswith(OWN):
            wrong.append(f"asked for {request.url}")

    def note_failure(request):
        if request.failure != "net::ERR_ABORTED":  # else the reader went on before it came
            wrong.append(f"failed: {request.url}")

    page.on("console", note_message)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("requestfailed", note_failure)
    page.on("request", note_request)
    yield page
    context.close()
    assert wrong == []


def settle(page):
    "Wait until formulas are drawn and the page's own script has run."
    page.wait_for_load_state("load")
    page.evaluate("window.MathJax?.startup?.promise")
    page.wait_for_timeout(100)


def visit(page, address):
    page.goto(address)
    settle(page)
