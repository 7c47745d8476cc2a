"""JupyterLab as `make lab` starts it, for a copy of the course and in a real browser.

There is no way out to the network. What a learner does there: menus, cells, running."""

import importlib.util
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from shared import ROOT, closed_port, copy_course, read

RUN_ALL = 600_000  # milliseconds that all cells of a lesson may take together
HARMLESS = []  # patterns of console errors that JupyterLab makes by itself and no learner notices


def load_bootstrap(course):
    "bootstrap.py of a copy of the course."
    spec = importlib.util.spec_from_file_location("bootstrap", course / "bootstrap.py")
    bootstrap = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bootstrap)
    return bootstrap


def lab_command(course, own):
    "What `make lab` runs."
    bootstrap = load_bootstrap(course)
    words = [
        "--no-browser",
        f"--port={closed_port()}",
        f"--IdentityProvider.token={secrets.token_hex(16)}",
        "--allow-root",
    ]
    # Those of this version, whatever the environment was made with.
    settings = json.dumps(bootstrap.JUPYTERLAB_SETTINGS)
    (own / "settings").mkdir(parents=True)
    (own / "settings" / "overrides.json").write_text(settings, encoding="utf-8")
    words.append(f"--LabApp.app_settings_dir={own / 'settings'}")
    [[_, *command]] = bootstrap.command_lines("lab", words)
    return command


def lab_environment(course, own):
    "The variables of a learner without any settings, data or network."
    env = {}
    for name, value in os.environ.items():
        if not name.startswith(("HELPERS_", "JUPYTER")):
            env[name] = value
    for kind in ("config", "data", "runtime"):
        env[f"JUPYTER_{kind.upper()}_DIR"] = str(own / kind)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        env[name] = f"http://127.0.0.1:{closed_port()}"  # nobody listens there
    env["IPYTHONDIR"] = str(own / "ipython")
    env["PYTHONPATH"] = str(course)
    return env


def wait_for_server(process, file):
    "What JupyterLab writes about itself when it has started; None if it does not."
    latest = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < latest:
        if file.exists() and file.read_text().endswith("}"):
            return json.loads(file.read_text())
        time.sleep(0.05)
    return None


@pytest.fixture
def lab_server(tmp_path):
    "What `make lab` starts, for a copy of the course."
    own = tmp_path / "jupyter"
    course = copy_course(tmp_path / "course")
    shutil.copy(ROOT / "bootstrap.py", course)
    command = lab_command(course, own)
    log = tmp_path / "jupyter.log"
    with open(log, "w") as file:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=course,
            env=lab_environment(course, own),
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        info = wait_for_server(process, own / "runtime" / f"jpserver-{process.pid}.json")
        if info is None:
            pytest.fail(f"JupyterLab did not start: {' '.join(command)}\n{log.read_text()}")
        folder = (course / "nbs").resolve().relative_to(Path(info["root_dir"]).resolve())
        yield SimpleNamespace(
            course=course,
            folder=folder.as_posix(),
            url=f"http://127.0.0.1:{info['port']}/",
            token=info["token"],
        )
    finally:
        process.terminate()  # JupyterLab then ends its kernels
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()


def is_harmless(error):
    return any(re.search(pattern, error) for pattern in HARMLESS)


@pytest.fixture
def page(chromium, lab_server, tmp_path):
    """A tab in a new browser profile.

    In the end: no error was reported in it, and no other machine was asked for anything."""
    context = chromium.new_context(base_url=lab_server.url, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(60_000)
    errors = []
    elsewhere = []

    def note_message(message):
        if message.type == "error":
            errors.append(message.text)

    def note_request(request):
        if urlsplit(request.url).hostname not in ("127.0.0.1", None):
            elsewhere.append(request.url)

    context.on("console", note_message)
    context.on("weberror", lambda error: errors.append(str(error.error)))
    context.on("request", note_request)
    page = context.new_page()
    page.on("websocket", note_request)
    page.server = lab_server
    yield page
    page.screenshot(path=tmp_path / "at_the_end.png")  # to be looked at after a failure
    context.close()
    assert elsewhere == []
    assert [error for error in errors if not is_harmless(error)] == []


def menu(page, name, entry):
    "Choose from JupyterLab's menus."
    page.locator(".lm-MenuBar-itemLabel").get_by_text(name, exact=True).click()
    page.locator(".lm-Menu-itemLabel").get_by_text(entry, exact=True).click()


IDLE = """() => {
  const bar = document.querySelector('#jp-main-statusbar');
  const idle = bar?.textContent.includes('| Idle');
  window.idleSince = idle ? window.idleSince ?? performance.now() : null;
  return idle && performance.now() - window.idleSince > 1000;
}"""


def wait_until_idle(page):
    """Wait until the kernel has had nothing to do for a second.

    Not at the first sight: sliders that round their value when they appear send it to the
    kernel."""
    page.evaluate("delete window.idleSince")
    page.wait_for_function(IDLE)


def visit(page, name):
    "Go to a notebook, without the tabs of an earlier visit."
    page.goto(f"lab/tree/{page.server.folder}/{name}?reset&token={page.server.token}")


def open_lesson(page, name):
    "Open a notebook; wait until all of its cells have come and its kernel is ready."
    count = len(read(page.server.course / "nbs" / name).cells)
    visit(page, name)
    page.wait_for_function(f"document.querySelectorAll('.jp-Notebook .jp-Cell').length == {count}")
    wait_until_idle(page)


# An error leaves the cells after it without a number; a folded cell never shows one.
PROMPT = ".jp-Notebook .jp-CodeCell .jp-InputPrompt:not(.jp-Placeholder-prompt)"
ALL_HAVE_RUN = r"""() => {
  const prompts = document.querySelectorAll('PROMPT');
  const texts = [...prompts].map(prompt => prompt.textContent);
  return texts.some(text => /\d/.test(text)) && !texts.some(text => text.includes('*'));
}""".replace("PROMPT", PROMPT)
ERRORS = '[data-mime-type="application/vnd.jupyter.stderr"], .jupyter-widgets-error-widget'


def run_all(page):
    "Run all cells afresh. No cell may report an error, and no pop-up may lie over them."
    menu(page, "Edit", "Clear Outputs of All Cells")
    menu(page, "Run", "Run All Cells")
    page.wait_for_function(ALL_HAVE_RUN, timeout=RUN_ALL)
    wait_until_idle(page)
    texts = page.locator(".jp-Notebook").locator(ERRORS).all_text_contents()
    error = re.compile(r"^Traceback|^[\w.]*Error\b", re.MULTILINE)
    assert [text for text in texts if error.search(text)] == []
    prompts = page.locator(PROMPT).all_text_contents()
    assert [text for text in prompts if not re.search(r"\d", text)] == []
    assert page.locator(".jp-Dialog, .Toastify__toast").all_text_contents() == []


def cell_with(page, source):
    "The code cell whose source contains a text."
    return page.locator(".jp-CodeCell", has=page.locator(".jp-InputArea-editor", has_text=source))


def type_and_run(page, cell, source):
    "Replace the source of a cell by typing, run it and wait until it has run; its output."
    from playwright.sync_api import expect

    prompt = cell.locator(".jp-InputPrompt")
    before = prompt.text_content()
    cell.locator(".cm-content").click()
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.type(source)
    page.keyboard.press("Shift+Enter")
    expect(prompt).not_to_have_text(before, timeout=60_000)
    expect(prompt).to_have_text(re.compile(r"\[\d+\]:"), timeout=60_000)
    return cell.locator(".jp-Cell-outputArea")
