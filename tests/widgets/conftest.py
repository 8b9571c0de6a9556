import functools

import pytest
from qtpy.QtCore import QCoreApplication, QEvent


@pytest.fixture
def qtbot(qtbot):
    """Be patient with a busy machine, and destroy windows in the window's thread.

    pytest-qt gives up after five seconds. It also keeps no widget alive: one that
    goes with the test's last reference is collected, still on the screen, by
    whichever thread comes to collect.
    """
    qtbot.waitUntil = functools.partial(qtbot.waitUntil, timeout=60_000)
    kept, add = [], qtbot.addWidget

    def add_widget(widget, **options):
        kept.append(widget)
        add(widget, **options)

    qtbot.addWidget = add_widget
    yield qtbot
    # They were closed before this; here they go.
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
