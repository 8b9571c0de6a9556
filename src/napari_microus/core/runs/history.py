"""What a run has reported so far, in the form in which it is drawn."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from napari_microus.core.events import (
    BatchReport,
    EpochReport,
    Estimated,
    Event,
    Failed,
    Finished,
    Notice,
    Preview,
    Progress,
    RunStarted,
    StateChanged,
)

if TYPE_CHECKING:
    from typing import Any

_MOST_POINTS = 2000
_MEASURES = ("train_loss", "val_loss", "val_dice", "val_hd95_mm", "learning_rate")


class Trace:
    """A line that keeps its shape in a bounded number of points.

    Neighbours are averaged when there are too many.
    """

    def __init__(self, most_points: int = _MOST_POINTS) -> None:
        self.x: list[float] = []
        self.y: list[float] = []
        self._most = most_points
        self._per_point = 1
        self._waiting: list[tuple[float, float]] = []

    def add(self, x: float, y: float) -> None:
        """Append a point."""
        self._waiting.append((x, y))
        if len(self._waiting) < self._per_point:
            return
        xs, ys = zip(*self._waiting, strict=True)
        self.x.append(sum(xs) / len(xs))
        self.y.append(sum(ys) / len(ys))
        self._waiting = []
        if len(self.x) >= self._most:
            self.x = _halved(self.x)
            self.y = _halved(self.y)
            self._per_point *= 2


@dataclass
class RunHistory:
    """The course of a run, filled by `take`.

    Epochs are counted from 1 and may be broken: 1.5 is half through the second.
    """

    started: RunStarted | None = None
    estimate: Estimated | None = None
    batch: BatchReport | None = None
    epochs: list[EpochReport] = field(default_factory=list)
    batch_loss: Trace = field(default_factory=Trace)
    rate: Trace = field(default_factory=Trace)
    gamma: Trace = field(default_factory=Trace)
    progress: Progress | None = None
    preview: Preview | None = None
    notices: list[str] = field(default_factory=list)
    state: str = ""
    result: dict[str, Any] = field(default_factory=dict)
    failure: str = ""

    def take(self, event: Event) -> None:
        """Add one event."""
        if isinstance(event, BatchReport):
            self._take_batch(event)
        elif isinstance(event, EpochReport):
            self.epochs = [e for e in self.epochs if e.epoch < event.epoch]
            self.epochs.append(event)
        elif isinstance(event, Progress):
            self.progress = event
        elif isinstance(event, Notice):
            self.notices.append(event.message)
        elif isinstance(event, Preview):
            self.preview = event
        elif isinstance(event, Estimated):
            self.estimate = event
        elif isinstance(event, RunStarted):
            self.started, self.progress = event, None
            self.state = "running"
        elif isinstance(event, StateChanged):
            self.state = event.state
        elif isinstance(event, Finished):
            self.result = event.result
        elif isinstance(event, Failed):
            self.failure = event.message

    def _take_batch(self, event: BatchReport) -> None:
        self.batch, self.progress = event, None
        x = event.epoch + event.batch / max(event.batches, 1)
        # JSON has no NaN: a loss that is none is not drawn.
        if event.loss is not None:
            self.batch_loss.add(x, event.loss)
        self.rate.add(x, event.learning_rate)
        if event.gamma is not None:
            self.gamma.add(x, event.gamma)

    def measure(self, name: str) -> tuple[list[float], list[float]]:
        """Return epochs and values of a field of `EpochReport`, where measured."""
        points = [(e.epoch + 1.0, getattr(e, name)) for e in self.epochs]
        known = [(x, y) for x, y in points if y is not None]
        return [x for x, _ in known], [y for _, y in known]

    @property
    def best(self) -> EpochReport | None:
        """The epoch whose weights are kept."""
        return next((e for e in reversed(self.epochs) if e.is_best), None)

    @property
    def done_fraction(self) -> float:
        """Part of the run's batches that were made."""
        if self.started is None or self.batch is None:
            return 0.0
        done = self.batch.epoch + self.batch.batch / max(self.batch.batches, 1)
        return min(done / max(self.started.epochs, 1), 1.0)


def read_curves(run: str | Path) -> dict[str, tuple[list[float], list[float]]]:
    """Return epochs and values by measure from a run's ``curves.csv``.

    Empty where the run has not ended an epoch, or the table cannot be read.
    """
    curves: dict[str, tuple[list[float], list[float]]]
    curves = {name: ([], []) for name in _MEASURES}
    try:
        with (Path(run) / "curves.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            for name, (xs, ys) in curves.items():
                if row.get(name):
                    ys.append(float(row[name]))
                    xs.append(float(row["epoch"]) + 1)
    except (OSError, ValueError, KeyError, csv.Error):
        return {}
    return curves if rows else {}


def _halved(values: list[float]) -> list[float]:
    pairs = zip(values[::2], values[1::2], strict=False)
    return [(a + b) / 2 for a, b in pairs]
