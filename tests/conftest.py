"Fixtures that the tests share: a learner's settings on stand-ins, a network that answers nothing, servers, a browser."

import os
import shutil
import subprocess
import threading
from pathlib import Path

os.environ.setdefault(
    "OMP_NUM_THREADS", "1"
)  # threads of two trainings on two cores wait for each other

import pytest

pytest.register_assert_rewrite("shared", "elsewhere")

from shared import LESSONS, ROOT, closed_port, missing  # noqa: F401

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
    "A learner without data and without a network: stand-ins, and progress kept in a temporary folder."
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


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory):
    "The Python of an environment with `THERE`, in which the network is off."
    from elsewhere import NO_NETWORK, NOT_THERE, THERE, environment

    folder = tmp_path_factory.mktemp("elsewhere") / "venv"
    python, site = environment(folder, THERE)
    (site / "no_network.py").write_text(NO_NETWORK)
    (site / "no_network.pth").write_text("import no_network\n")
    test = f"""import importlib.util, socket
assert not [name for name in {NOT_THERE} if importlib.util.find_spec(name)] and all(map(importlib.util.find_spec, {THERE}))
for act in (lambda: socket.create_connection(('192.0.2.1', 80), 1), lambda: socket.create_connection(('example.com', 80), 1)):
    try: act()
    except OSError as error: assert 'unreachable' in str(error) or 'resolution' in str(error), error
    else: raise AssertionError('the network is on')"""
    subprocess.run([python, "-c", test], check=True, cwd=folder, env={"PATH": os.defpath})
    return python


@pytest.fixture(scope="session")
def chromium():
    "A headless Chromium."
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright is not installed")
    program = next(
        filter(
            None,
            map(
                shutil.which, ("chromium", "chromium-browser", "google-chrome", "/usr/bin/chromium")
            ),
        ),
        None,
    )
    if not program:
        missing("Chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=SWITCHES)
        yield browser
        browser.close()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    "For `-n auto`: a worker for each core, hyper-threads too, up to four: each takes a gigabyte, and imports PyTorch first."
    return min(os.cpu_count() or 1, 4)


def pytest_configure(config):
    "Remember where the real data lie before tests change the environment, as an absolute path."
    config.addinivalue_line("markers", "whole: in tests/whole/, which `make test` leaves out")
    if named := os.environ.get("HELPERS_DATA"):
        found = next((folder for folder in (ROOT / named, Path(named)) if folder.is_dir()), None)
        if found:
            os.environ["COURSE_REAL_DATA"] = str(found.resolve())
