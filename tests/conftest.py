"Fixtures that the tests share: a learner's settings on stand-ins, a network that answers nothing, the notebooks."
import os
import socket
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LESSONS = sorted((ROOT/'nbs').glob('[0-9][0-9]_*.ipynb'))


def closed_port():
    "A local port on which nobody listens."
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


@pytest.fixture
def learner(tmp_path, monkeypatch):
    "A learner without data and without a network: stand-ins, and progress kept in a temporary folder."
    (tmp_path/'settings.ini').write_text('[learner]\n')
    monkeypatch.setenv('HELPERS_SETTINGS', str(tmp_path/'settings.ini'))
    monkeypatch.delenv('HELPERS_DATA', raising=False)
    for name in ('http_proxy', 'https_proxy', 'HTTP_PROXY', 'HTTPS_PROXY'): monkeypatch.setenv(name, f'http://127.0.0.1:{closed_port()}')
    monkeypatch.setenv('no_proxy', '127.0.0.1,localhost')
    return tmp_path


@pytest.fixture
def real_data(learner, monkeypatch):
    "The same learner with the real data of HELPERS_DATA; skipped where there is none."
    folder = os.environ.get('COURSE_REAL_DATA')
    if not folder: pytest.skip('no real data: set HELPERS_DATA to a folder that holds it')
    monkeypatch.setenv('HELPERS_DATA', folder)
    return learner


def pytest_configure(config):
    "Remember where the real data lie before tests change the environment, as an absolute path."
    if named := os.environ.get('HELPERS_DATA'):
        found = next((folder for folder in (ROOT/named, Path(named)) if folder.is_dir()), None)
        if found: os.environ['COURSE_REAL_DATA'] = str(found.resolve())
