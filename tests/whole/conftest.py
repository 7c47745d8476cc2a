"Mark every test of this folder: `pytest -m whole`; JupyterLab and a tab for those that want them."

from pathlib import Path

import pytest

pytest.register_assert_rewrite("learners_lab")

from learners_lab import lab_server, page  # noqa: E402, F401

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("whole")
