"""The memory of more bodies: predicted, and compared with what is counted.

And with PyTorch's own allocator."""

import sys

import pytest
from shared import ROOT

sys.path.insert(0, str(ROOT / "tests" / "gpu"))
from test_memory import check_parts, check_peak  # noqa: E402

BODIES = {"convnext_tiny": 64, "resnet26d": 64, "swinv2_tiny_window8_256": 128}


@pytest.mark.parametrize(("name", "size"), BODIES.items(), ids=BODIES)
def test_predicted_as_counted(name, size):
    check_parts(name, size)


@pytest.mark.parametrize(
    ("name", "size", "n"), [("convnext_tiny", 64, 32), ("resnet26d", 96, 24)], ids=str
)
def test_predicted_peak_as_allocated(name, size, n):
    check_peak(name, size, n)
