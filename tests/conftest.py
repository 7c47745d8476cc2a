"Fixtures that the tests share: a learner on stand-ins, a silent network, servers, a browser."

import os
import shutil
import subprocess
import threading
from pathlib import Path

# Threads of two trainings on two cores wait for each other. (Before PyTorch is imported.)
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

pytest.register_assert_rewrite("shared", "elsewhere")

from shared import ROOT, closed_port, missing  # noqa: E402

SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


@pytest.fixture
def learner(tmp_path, monkeypatch):
    "A learner without data and network: stand-ins, and progress kept in a temporary folder."
    (tmp_path / "settings.ini").write_text("[learner]\n")
    monkeypatch.setenv("HELPERS_SETTINGS", str(tmp_path / "settings.ini"))
    monkeypatch.delenv("HELPERS_DATA", raising=False)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    return tmp_path


@pytest.fixture
def real_data(learner, monkeypatch):
    "The same learner with the real data of HELPERS_DATA; skipped where there is none."
    folder = os.environ.get("COURSE_REAL_DATA")
    if not folder:
        pytest.skip("no real data: set HELPERS_DATA to a folder that holds it")
    monkeypatch.setenv("HELPERS_DATA", folder)
    return learner


@pytest.fixture
def server(tmp_path, monkeypatch):
    "A server with one mirror of the small MNIST, an empty cache, and one second of patience."
    from file_server import FILES, MNIST, Server, md5, switches

    import helpers.data.find

    for name in ("HELPERS_DATA", "HELPERS_SETTINGS"):
        monkeypatch.delenv(name, raising=False)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")
    monkeypatch.setenv("HELPERS_QUIET", "1")
    monkeypatch.setattr(helpers.data.find, "PATIENCE", 1)
    switches(tmp_path, monkeypatch)
    server = Server()
    monkeypatch.setattr(MNIST, "mirrors", [server.mirror()])
    monkeypatch.setattr(
        MNIST, "resources", [(name, md5(content)) for name, content in FILES.items()]
    )
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def bundles():
    "File name to bytes, as `make bundle` writes them."
    from publish import bundle

    return bundle.copies()


# What has to be so elsewhere, before a copy is run there.
CHECK_ELSEWHERE = """
import importlib.util, socket

def there(name):
    return importlib.util.find_spec(name) is not None

assert all(map(there, {there}))
assert not any(map(there, {not_there}))
def ask_for_an_address():
    socket.socket().connect(("192.0.2.1", 80))

def ask_for_a_name():
    socket.create_connection(("example.com", 80), 1)

for ask in (ask_for_an_address, ask_for_a_name):
    try:
        ask()
    except OSError as error:
        assert "unreachable" in str(error) or "resolution" in str(error), error
    else:
        raise AssertionError("the network is on")
"""


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory):
    "The Python of an environment with `THERE`, in which the network is off."
    from elsewhere import NOT_THERE, THERE, environment, switch_network_off

    folder = tmp_path_factory.mktemp("elsewhere") / "venv"
    python = environment(folder, THERE)
    switch_network_off(python)
    code = CHECK_ELSEWHERE.format(there=THERE, not_there=NOT_THERE)
    subprocess.run([python, "-c", code], check=True, cwd=folder, env={"PATH": os.defpath})
    return python


CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "/usr/bin/chromium")


@pytest.fixture(scope="session")
def chromium():
    "A headless Chromium."
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright is not installed")
    programs = [program for program in map(shutil.which, CHROMIUM) if program]
    if not programs:
        missing("Chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=programs[0], args=SWITCHES)
        yield browser
        browser.close()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """For `-n auto`: a worker for each core, hyper-threads too, up to four.

    Each takes a gigabyte, and imports PyTorch first."""
    return min(os.cpu_count() or 1, 4)


SITE = tuple(f"tests/whole/test_{name}.py" for name in ("site", "links", "frames"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """One worker runs all tests that need the site, which takes minutes to build.

    The mark for that, xdist_group, has no effect with pytest 9.2 and pytest-xdist 3.8."""
    if config.getvalue("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadGroupScheduling

    class OneSite(LoadGroupScheduling):
        def _split_scope(self, nodeid):
            return "site" if nodeid.startswith(SITE) else nodeid

    return OneSite(config, log)


def pytest_configure(config):
    "Remember where the real data lie before tests change the environment, as an absolute path."
    config.addinivalue_line("markers", "whole: in tests/whole/, which `make test` leaves out")
    data = os.environ.get("HELPERS_DATA")
    if not data:
        return
    for folder in (ROOT / data, Path(data)):
        if folder.is_dir():
            os.environ["COURSE_REAL_DATA"] = str(folder.resolve())
            return
