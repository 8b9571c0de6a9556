import functools

import pytest


@pytest.fixture
def qtbot(qtbot):
    """Wait as long as a busy machine may need; pytest-qt gives up after five seconds."""
    qtbot.waitUntil = functools.partial(qtbot.waitUntil, timeout=60_000)
    return qtbot
