import subprocess
import sys
import threading

import pytest

from napari_microus.core.errors import DeviceError
from napari_microus.widgets._shared.worker import start_worker


class Log:
    """What a worker reported, and in which thread."""

    def __init__(self):
        self.reports = []
        self.threads = set()

    def _note(self, *report):
        self.reports.append(report)
        self.threads.add(threading.get_ident())

    def slots(self):
        return {
            "yielded": lambda value: self._note("yielded", value),
            "returned": lambda value: self._note("returned", value),
            "errored": lambda error: self._note("errored", type(error), str(error)),
            "aborted": lambda: self._note("aborted"),
            "finished": lambda: self._note("finished"),
        }

    def is_finished(self):
        return ("finished",) in self.reports


@pytest.fixture
def log(qapp):
    return Log()


def test_reports_progress_then_the_result_in_the_windows_thread(qtbot, log):
    def work(start):
        yield start
        yield start + 1
        return "mask"

    start_worker(work, 5, **log.slots())
    qtbot.waitUntil(log.is_finished)

    assert log.reports == [
        ("yielded", 5),
        ("yielded", 6),
        ("returned", "mask"),
        ("finished",),
    ]
    assert log.threads == {threading.get_ident()}


@pytest.mark.parametrize("kind", [ValueError, RuntimeError, DeviceError, TypeError])
def test_every_error_is_reported_once(kind, qtbot, log):
    def work():
        yield 1
        raise kind("Memory must suffice.")

    start_worker(work, **log.slots())
    qtbot.waitUntil(log.is_finished)

    assert log.reports == [
        ("yielded", 1),
        ("errored", kind, "Memory must suffice."),
        ("finished",),
    ]


def test_quit_closes_the_generator_before_it_is_reported(qtbot, log):
    closed = threading.Event()
    go_on = threading.Event()

    def work():
        try:
            yield 1
            go_on.wait(5)
            yield 2
            yield 3
        finally:
            closed.set()

    worker = start_worker(work, **log.slots())
    qtbot.waitUntil(lambda: bool(log.reports))
    worker.quit()
    go_on.set()
    qtbot.waitUntil(log.is_finished)

    assert closed.is_set()
    assert log.reports[-2:] == [("aborted",), ("finished",)]
    assert ("yielded", 3) not in log.reports
    assert not worker.is_running


def test_a_forgotten_worker_reports_nothing(qtbot, log):
    go_on = threading.Event()

    def work():
        yield 1
        go_on.wait(5)
        yield 2

    worker = start_worker(work, **log.slots())
    qtbot.waitUntil(lambda: bool(log.reports))
    worker.forget()
    go_on.set()
    qtbot.waitUntil(lambda: not worker.is_running)

    assert log.reports == [("yielded", 1)]


def test_an_error_in_a_slot_does_not_hide_the_end(qtbot, log):
    def work():
        yield 1
        return 2

    def fail(value):
        raise ValueError("slot")

    with qtbot.captureExceptions() as errors:
        start_worker(work, **log.slots() | {"yielded": fail})
        qtbot.waitUntil(log.is_finished)

    assert [str(error[1]) for error in errors] == ["slot"]
    assert log.reports == [("returned", 2), ("finished",)]


def test_unknown_slot_is_refused(qapp):
    with pytest.raises(TypeError, match="result"):
        start_worker(lambda: iter(()), result=print)


ENDING = """
import sys, time
import torch
from qtpy.QtCore import QCoreApplication, QTimer
from napari_microus.widgets._shared.worker import start_worker

def work():
    matrix = torch.rand(1500, 1500)
    for _ in range(100):
        for _ in range(3):
            matrix = torch.nn.functional.normalize(matrix @ matrix)
        yield

application = QCoreApplication([])
start_worker(work)
if sys.argv[1] == "loop":
    QTimer.singleShot(150, application.quit)
    application.exec()
else:
    time.sleep(0.15)
print("end")
"""


@pytest.mark.parametrize("way", ["loop", "script"])
def test_a_process_that_ends_amid_work_in_pytorch_ends_well(way):
    for _ in range(3):
        ended = subprocess.run(
            [sys.executable, "-c", ENDING, way],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (ended.returncode, ended.stdout) == (0, "end\n"), ended.stderr
