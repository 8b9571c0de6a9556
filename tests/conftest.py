"""No test may reach beyond this computer, nor into its user's own folders."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

# Set before anything asks for them; children of the tests inherit them. The cache
# stays: napari's pictures and matplotlib's fonts take seconds to make again.
OWN = Path(tempfile.mkdtemp(prefix="microus-tests-"))
GUARD = Path(__file__).with_name("guard")
for kind in ("CONFIG", "DATA", "STATE"):
    os.environ[f"XDG_{kind}_HOME"] = str(OWN / kind.lower())

# Texts are compared in English, whatever the system speaks.
os.environ["LANGUAGE"] = "en"

# Several processes of tests, each with as many threads as there are cores, would
# wait for each other; torch and its children read this as they are imported.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_unconfigure():
    shutil.rmtree(OWN, ignore_errors=True)


sys.path.insert(0, str(GUARD))
import network_guard as guards  # noqa: E402  stands beside the tests

guards.watch_children(str(GUARD), str(OWN / "network.txt"))


@pytest.fixture(scope="session", autouse=True)
def network_guard():
    """Fail at the end where our code asked for another computer unasked."""
    guard = guards.NetworkGuard()
    guard.on()
    yield guard
    guard.off()
    assert not guard.ours, guard.ours[0]
    log = OWN / "network.txt"
    assert not log.exists(), f"a child: {log.read_text(encoding='utf-8')}"


@pytest.fixture(autouse=True)
def _gradients_are_left_on():
    """Fail the test that leaves PyTorch without gradients for those after it."""
    yield
    torch = sys.modules.get("torch")
    if torch is not None and not torch.is_grad_enabled():
        torch.set_grad_enabled(True)
        pytest.fail("Gradients were left off.")
