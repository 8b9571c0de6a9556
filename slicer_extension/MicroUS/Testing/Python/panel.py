"""The module's panel with a child process that a test plays."""

import tempfile
from pathlib import Path

import standins
from MicroUSLib.process import Outcome


class Child:
    """Plays the child process: reports what it is given, and leaves a mask."""

    made = None

    def __init__(self, on_event, on_outcome):
        self.on_event, self.on_outcome = on_event, on_outcome
        self.folder = Path(tempfile.mkdtemp(dir=Child.home))
        self.is_cancelled = self.is_abandoned = False
        Child.made = self

    def start(self, line, environment=None):
        self.line = line

    def cancel(self):
        self.is_cancelled = True

    def abandon(self):
        self.is_abandoned = True

    def close(self):
        self.is_abandoned = True

    def run_here(self):
        """Do what a child would, in this process: its start takes seconds."""
        from napari_microus.cli import app, commands  # noqa: F401

        app(self.line, standalone_mode=False)
        self.on_outcome(Outcome("done"))

    def finish(self, mask=None):
        from napari_microus.core.io import read_volume, write_mask

        if mask is not None:
            scan = read_volume(self.folder / "scan.nii")
            write_mask(scan.like(mask), self.folder / "capsule.nii", overwrite=True)
        self.on_outcome(Outcome("done"))


def choose(widget, **choices):
    for name, value in choices.items():
        setattr(widget._parameterNode, name, value)
    standins.Application().processEvents()


def press(button):
    assert button.isEnabled()
    button.click()


def fill(widget, **texts):
    for name, text in texts.items():
        getattr(widget.ui, f"{name}LineEdit").setText(text)


def pick(box, key):
    index = box.findData(key)
    assert index >= 0
    box.setCurrentIndex(index)
