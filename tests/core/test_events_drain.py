import pytest

from napari_microus.core.events import Notice, Progress, drain, relay


def count(ended):
    try:
        yield Progress(1, 2)
        yield Progress(2, 2)
        return "result"
    finally:
        ended.append(True)


def test_drain_reports_every_event_and_returns_the_result():
    ended, seen = [], []
    assert drain(count(ended), seen.append) == "result"
    assert [event.done for event in seen] == [1, 2]
    assert ended == [True]


def test_what_the_listener_raises_closes_the_work():
    ended = []

    def refuse(event):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        drain(count(ended), refuse)
    assert ended == [True]


def test_relay_passes_events_on_and_returns_the_result():
    def work():
        yield Notice("one")
        yield Notice("two")
        return 7

    def stated(event):
        return Notice("2") if event.message == "two" else None

    passed = []
    assert drain(relay(work(), stated), passed.append) == 7
    assert passed == [Notice("one"), Notice("2")]


def test_relay_closes_the_work_with_itself():
    closed = []

    def work():
        try:
            yield Notice("one")
        finally:
            closed.append(True)

    relayed = relay(work(), lambda event: None)
    next(relayed)
    relayed.close()
    assert closed == [True]
