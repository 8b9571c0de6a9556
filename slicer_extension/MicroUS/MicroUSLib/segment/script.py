"""Segment from a script: start the child, keep the window alive, return the segment."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import slicer

from MicroUSLib.process import Outcome, Runner

from . import job

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_microus.core.events import Event


def run_and_wait(
    volume: slicer.vtkMRMLScalarVolumeNode,
    segmentation: slicer.vtkMRMLSegmentationNode | None = None,
    *,
    on_event: Callable[[Event], None] | None = None,
    make_runner: Callable[..., Runner] = Runner,
    **choices: Any,
) -> tuple[slicer.vtkMRMLSegmentationNode, str]:
    """Segment ``volume`` in a child process and return node and segment ID.

    Parameters
    ----------
    volume, segmentation
        As in `job.Request`, and so are ``choices``.
    on_event : callable, optional
        Called with how far the child is.
    make_runner : callable
        Makes the runner.

    Raises
    ------
    InputError, ConfigError, CheckpointError
        If the request cannot be met; see `job.check`.
    RuntimeError
        If the child failed; the message is for the user.
    """
    request = job.Request(volume, segmentation, **choices)
    job.check(request)
    outcomes: list[Outcome] = []
    result: list[tuple[slicer.vtkMRMLSegmentationNode, str]] = []

    def end(outcome: Outcome) -> None:
        outcomes.append(outcome)
        if outcome.state == "done":  # before the runner clears its folder
            result.append(job.collect(request, runner.folder))

    runner = make_runner(on_event or (lambda _: None), end)
    runner.start(job.arguments(request, runner.folder))
    while runner.is_running:
        slicer.app.processEvents()
        time.sleep(0.01)  # the child needs the processor more
    if not result:
        raise RuntimeError(outcomes[0].message or "The run was cancelled.")
    return result[0]
