import pytest

from napari_microus.core.events import Progress, drain


def count(ended):
    try:
        yield Progress(1, 2)
        yield Progress(2, 2)
        return "result"
    finally:
        ended.append(True)


def test_drain_tells_of_every_event_and_returns_the_result():
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
