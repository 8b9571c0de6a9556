import sys
import textwrap
import time

import pytest
import slicer
from MicroUSLib import process
from MicroUSLib.process import Outcome, Runner, sentence

from napari_microus.core.errors import DeviceError
from napari_microus.core.events import Notice, Progress

WORKS = """
    import sys, time
    from napari_microus.cli._console import ProgressStyle, drain
    from napari_microus.core.errors import MicroUSError
    from napari_microus.core.events import Finished, Notice, Progress

    def work():
        print("a library says hello")
        for frame in range(3):
            yield Progress(frame + 1, 3)
            while "wait" in sys.argv:
                time.sleep(0.02)
                yield Progress(frame + 1, 3)
        yield Finished({"output": "there"})

    try:
        drain(work(), ProgressStyle.json)
    except KeyboardInterrupt:
        sys.exit(130)
"""
CRASHES = "raise ZeroDivisionError('a fault of ours')"
RUNS_OUT = """
    raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB")
"""
IS_KILLED = """
    import os, signal
    os.kill(os.getpid(), signal.SIGKILL)
"""
REFUSES = """
    import sys
    from napari_microus.core.events import Failed, to_json
    print(to_json(Failed("The model must be in the library; got 'nosuch'.")))
    sys.exit(2)
"""


@pytest.fixture
def start(tmp_path):
    """Start a child from source text; returns the runner and what it reports."""

    def start(source, *arguments):
        (tmp_path / "job.py").write_text(textwrap.dedent(source))
        events, outcomes = [], []
        job = Runner(events.append, outcomes.append, sys.executable, "job")
        job.start(list(arguments), {"PYTHONPATH": str(tmp_path)})
        return job, events, outcomes

    return start


@pytest.mark.parametrize("version", ["5.12", "5.10"])
def test_events_and_result_arrive(version, start, monkeypatch, wait):
    if version == "5.10":  # its launchConsoleProcess only starts the process
        launch = slicer.util.launchConsoleProcess

        def old(args, useStartupEnvironment=True, updateEnvironment=None, cwd=None):
            return launch(args, useStartupEnvironment, updateEnvironment, cwd)

        monkeypatch.setattr(slicer.util, "launchConsoleProcess", old)

    job, events, outcomes = start(WORKS)
    folder = job.folder
    wait(lambda: outcomes)

    assert [e for e in events if isinstance(e, Progress)] == [
        Progress(n, 3) for n in (1, 2, 3)
    ]
    assert outcomes == [
        Outcome("done", "", {"output": "there"}, "a library says hello")
    ]
    assert not job.is_running
    assert not folder.exists()


def test_window_lives_while_the_child_works(start, wait):
    """The best of some runs: a busy machine stops everybody for a while."""
    standstills = []
    while len(standstills) < 5 and min(standstills, default=1.0) >= 0.2:
        job, events, outcomes = start(WORKS, "wait")
        wait(lambda: events)  # noqa: B023  called at once
        began = time.monotonic()
        standstills.append(wait(lambda: time.monotonic() > began + 1))  # noqa: B023
        job.cancel()
        wait(lambda: outcomes)  # noqa: B023
    assert min(standstills) < 0.2


def test_cancel_stops_the_child(start, wait):
    job, events, outcomes = start(WORKS, "wait")
    process = job._process
    wait(lambda: events)

    job.cancel()
    wait(lambda: outcomes)

    assert outcomes[0].state == "cancelled"
    assert process.poll() == 130


def test_abandoned_child_stops_and_says_nothing(start, wait):
    job, events, outcomes = start(WORKS, "wait")
    process = job._process
    wait(lambda: events)
    seen = len(events)

    job.abandon()
    wait(lambda: not job.is_running)

    assert process.poll() == 130
    assert outcomes == []
    assert len(events) == seen


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (CRASHES, "failed (status 1: ZeroDivisionError: a fault of ours)"),
        (RUNS_OUT, "Choose a smaller batch size, or the CPU"),
        (IS_KILLED, "Choose a smaller batch size, or the CPU"),
        (REFUSES, "The model must be in the library; got 'nosuch'."),
    ],
)
def test_failure_becomes_a_sentence(source, words, start, wait):
    job, _, outcomes = start(source)
    wait(lambda: outcomes)
    assert outcomes[0].state == "failed"
    assert words in outcomes[0].message
    assert not job.is_running


def test_second_job_waits_for_the_first(start, wait):
    job, _, outcomes = start(WORKS, "wait")
    with pytest.raises(DeviceError, match="One job runs at a time"):
        job.start([])
    job.cancel()
    wait(lambda: outcomes)


def test_missing_interpreter_is_reported(tmp_path):
    job = Runner(print, print, str(tmp_path / "PythonSlicer"))
    with pytest.raises(DeviceError, match="PythonSlicer must be installed"):
        job.start([])
    assert not job.is_running


def test_python_slicer_is_found_on_the_path(tmp_path, monkeypatch):
    (tmp_path / "PythonSlicer").write_text("#!/bin/sh\n")
    (tmp_path / "PythonSlicer").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert process._python_slicer() == str(tmp_path / "PythonSlicer")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["ModuleNotFoundError: No module named 'monai'"], "Press Apply to install"),
        (["RuntimeError: CUDA error: device-side assert"], "Choose the CPU"),
        (["napari-microus: The scan must have frames; got 0."], "The scan must have"),
        ([], "it said nothing"),
    ],
)
def test_last_lines_state_what_went_wrong(lines, words):
    assert words in sentence(1, "", lines)


def test_notice_is_an_event_like_others(start, wait):
    source = """
        from napari_microus.core.events import Notice, to_json
        print(to_json(Notice("converted to grey")))
    """
    _, events, outcomes = start(source)
    wait(lambda: outcomes)
    assert events == [Notice("converted to grey")]
