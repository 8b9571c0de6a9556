"""A window stops the process it started by a file that the process looks for."""

import pytest

from napari_microus.cli._console import ProgressStyle, drain
from napari_microus.core.events import CANCEL_VARIABLE, Progress


def work(closed):
    try:
        for done in range(3):
            yield Progress(done + 1, 3)
        return "result"
    finally:
        closed.append(True)


@pytest.mark.parametrize("style", [ProgressStyle.json, ProgressStyle.none])
def test_the_file_stops_the_work(style, tmp_path, monkeypatch, capsys):
    flag, closed = tmp_path / "cancel", []
    monkeypatch.setenv(CANCEL_VARIABLE, str(flag))

    def asked_midway():
        for event in (stream := work(closed)):
            if event.done == 2:
                flag.touch()
            yield event
        stream.close()

    with pytest.raises(KeyboardInterrupt):
        drain(asked_midway(), style)

    if style is ProgressStyle.json:
        assert capsys.readouterr().out.count("Progress") == 2


def test_without_the_file_the_work_ends(tmp_path, monkeypatch):
    monkeypatch.setenv(CANCEL_VARIABLE, str(tmp_path / "cancel"))
    closed = []
    assert drain(work(closed), ProgressStyle.none) == "result"
    assert closed == [True]
