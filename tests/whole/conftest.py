"""Mark every test of this folder: `pytest -m whole`.

JupyterLab and the site, each with a tab, for those that want them."""

from pathlib import Path

import pytest

pytest.register_assert_rewrite("built_site", "learners_lab")

from built_site import address, site, tab  # noqa: E402, F401
from learners_lab import lab_server, page  # noqa: E402, F401

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("whole")
