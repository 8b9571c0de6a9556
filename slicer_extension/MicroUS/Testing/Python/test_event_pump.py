import pytest
import slicer
from MicroUSLib import event_pump
from MicroUSLib.event_pump import Cancelled, EventPump, drain

from napari_microus.core.errors import InputError
from napari_microus.core.events import Progress


@pytest.fixture(autouse=True)
def every_event(monkeypatch):
    monkeypatch.setattr(event_pump, "_WINDOW_EVERY_S", 0.0)


def three_steps(closed):
    try:
        for step in range(3):
            yield Progress(step + 1, 3, message="Working")
        return "done"
    finally:
        closed.append(True)


def test_window_lives_between_two_steps(monkeypatch):
    seen, lived = [], []
    monkeypatch.setattr(type(slicer.app), "processEvents", lambda _: lived.append(1))
    result = drain(three_steps([]), EventPump(lambda *stated: seen.append(stated)))
    assert result == "done"
    assert seen == [(n, 3, "Working") for n in (1, 2, 3)]
    assert len(lived) == 3


def test_window_is_not_asked_too_often(monkeypatch):
    monkeypatch.setattr(event_pump, "_WINDOW_EVERY_S", 3600.0)
    lived = []
    monkeypatch.setattr(type(slicer.app), "processEvents", lambda _: lived.append(1))
    drain(three_steps([]), EventPump(lambda *_: None))
    assert len(lived) <= 1


@pytest.mark.parametrize(
    ("reason", "error"), [("", Cancelled), ("The scene was closed.", InputError)]
)
def test_work_ends_at_the_step_after_a_cancel(reason, error):
    closed, seen = [], []
    work = EventPump(lambda done, *_: (seen.append(done), work.cancel(reason)))
    with pytest.raises(error, match=reason or "^$"):
        drain(three_steps(closed), work)
    assert seen == [1]
    assert closed == [True]
