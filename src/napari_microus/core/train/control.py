"""Let somebody stop or pause a run: by a flag file, or by an interrupt."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING, Any, Self

import torch

from napari_microus.core.events import Event, StateChanged

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import TracebackType

    from lightning_fabric import Fabric

    from napari_microus.core.runs.folder import RunFolder

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# A slow step looks for the flag file this often, in seconds.
_LOOK_EVERY_S = 0.25
_WAIT_S = 0.1


class StepAbandoned(Exception):
    """Somebody asked to stop or pause while a step was under way."""


class Control:
    """Hears interrupts while it is entered, and looks for the flag files.

    A second interrupt is not caught: it ends the process at once.

    Attributes
    ----------
    paused_s : float
        Seconds spent in pauses so far.
    interrupt : int
        Number of the signal that asked to stop, 0 where none came.
    """

    def __init__(self, run: RunFolder | None, fabric: Fabric) -> None:
        self._run = run
        self._fabric = fabric
        self.interrupt = 0
        self.paused_s = 0.0
        self._looked_at = 0.0
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
        self.interrupt = number
        self._restore()

    def _restore(self) -> None:
        while self._before:
            number, handler = self._before.popitem()
            signal.signal(number, handler)

    def wants_stop(self) -> bool:
        """Return whether this process was asked to stop."""
        if self.interrupt:
            return True
        return self._run is not None and self._run.wants("stop")

    def watch(self, network: torch.nn.Module) -> None:
        """Look for a stop or pause between the layers too, as a step may take long.

        The step then ends with `StepAbandoned` before it has changed any weight.
        Several processes cannot leave a step alone and look between steps only.
        """
        if self._fabric.world_size > 1:
            return
        for module in network.modules():
            if not list(module.children()):
                module.register_forward_hook(self._after_layer)

    def _after_layer(
        self, module: torch.nn.Module, inputs: Any, output: object
    ) -> None:
        self._leave_if_asked()
        if isinstance(output, torch.Tensor) and output.requires_grad:
            output.register_hook(self._leave_if_asked)  # type: ignore[no-untyped-call]

    def _leave_if_asked(self, gradient: object = None) -> None:
        now = time.monotonic()
        if now - self._looked_at > _LOOK_EVERY_S:
            self._looked_at = now
            if self.wants_break():
                raise StepAbandoned

    def wants_pause(self) -> bool:
        """Return whether this process was asked to pause."""
        return self._run is not None and self._run.wants("pause")

    def wants_break(self) -> bool:
        """Return whether work under way should be left for a stop or a pause."""
        if self._fabric.world_size > 1:  # the others would wait in vain
            return self.wants_stop()
        return self.wants_stop() or self.wants_pause()

    def wait_while_paused(self) -> Generator[Event, None, None]:
        """Wait as long as a pause is requested."""
        began = time.monotonic()
        if self._run is not None:
            self._run.set_status(state="paused")
        yield StateChanged("paused")
        while self.any_process(self.wants_pause() and not self.wants_stop()):
            time.sleep(_WAIT_S)
        self.paused_s += time.monotonic() - began
        if self._run is not None:
            self._run.set_status(state="running")
        yield StateChanged("running")

    def any_process(self, wanted: bool) -> bool:
        """Return whether any process requests something, so that all do the same."""
        if self._fabric.world_size == 1:
            return wanted
        asked = torch.tensor(float(wanted), device=self._fabric.device)
        total = self._fabric.all_reduce(asked, reduce_op="sum")
        return float(total) > 0  # type: ignore[arg-type]
