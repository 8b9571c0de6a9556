"""Let somebody stop or pause a run: by a flag file, or by an interrupt."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any, Self

import torch

if TYPE_CHECKING:
    from types import TracebackType

    from lightning_fabric import Fabric

    from napari_microus.core.train.runs import RunFolder

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Control:
    """Hears interrupts while it is entered, and looks for the flag files.

    A second interrupt is not caught: it ends the process at once.
    """

    def __init__(self, run: RunFolder | None, fabric: Fabric) -> None:
        self._run = run
        self._fabric = fabric
        self._interrupted = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                self._before[number] = signal.signal(number, self._interrupt)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._restore()

    def _interrupt(self, number: int, frame: object) -> None:
        self._interrupted = True
        self._restore()

    def _restore(self) -> None:
        while self._before:
            number, handler = self._before.popitem()
            signal.signal(number, handler)

    def wants_stop(self) -> bool:
        """Tell whether this process was asked to stop."""
        return self._interrupted or (self._run is not None and self._run.wants("stop"))

    def wants_pause(self) -> bool:
        """Tell whether this process was asked to pause."""
        return self._run is not None and self._run.wants("pause")

    def all_agree(self, wanted: bool) -> bool:
        """Tell whether any process wants something, so that all do the same."""
        if self._fabric.world_size == 1:
            return wanted
        asked = torch.tensor(float(wanted), device=self._fabric.device)
        total = self._fabric.all_reduce(asked, reduce_op="sum")
        return float(total) > 0  # type: ignore[arg-type]
