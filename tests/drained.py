"""Run long work to its end in a test."""

from napari_microus.core.events import drain


def drained(work):
    """Return what a generator returned, and every event that it yielded."""
    events = []
    return drain(work, events.append), events
