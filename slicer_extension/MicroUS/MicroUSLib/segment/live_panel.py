"""The part *Live*: the capsule in a volume whose picture changes all the time.

The volume is any that somebody else updates, such as that of OpenIGTLink's connector
(SlicerOpenIGTLink). A child process segments the newest frame; nothing here waits.
"""

from __future__ import annotations

import json
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import qt
import slicer
import vtk
from slicer.i18n import tr as _

from MicroUSLib.failure import in_plain_words, shown_plainly
from MicroUSLib.process import Outcome, Runner
from MicroUSLib.scene.live_overlay import LiveOverlay
from MicroUSLib.scene.nodes import grid_from_node, ijk_to_ras, is_in_scene
from MicroUSLib.scene.nodes import require_volume as require_any_volume
from MicroUSLib.scene.segments import put_capsule

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import SimpleNamespace

    from MicroUSLib.parameters import MicroUSParameterNode
    from MicroUSLib.process import RunnerMaker
    from napari_microus.core.events import Event
    from napari_microus.core.live import Exchange

_EVERY_MS = 10
_SHOWN_EVERY_S = 0.5
_REMEMBERED = 60  # answers: two seconds of a scanner's
NAME = "Live capsule"


@dataclass
class _Frame:
    """A frame that was handed over, and where it lay then."""

    array: np.ndarray
    affine: np.ndarray
    at_s: float
    capsule: np.ndarray | None = None


class LivePanel:
    """Ties the widgets of *Live* to a volume node and the child that segments it.

    Parameters
    ----------
    ui : namespace
        The widgets of ``MicroUS.ui`` by name.
    ensure_packages : callable
        Installs what is missing, or raises.
    make_runner : callable
        Makes the runner of the child.
    """

    def __init__(
        self,
        ui: SimpleNamespace,
        ensure_packages: Callable[[], Any],
        make_runner: RunnerMaker = Runner,
    ) -> None:
        self._ui = ui
        self._ensure_packages = ensure_packages
        self._make_runner = make_runner
        self._runner: Runner | None = None
        self._frames: Exchange | None = None
        self._capsules: Exchange | None = None
        self._volume: slicer.vtkMRMLVolumeNode | None = None
        self._tags: list[int] = []
        self._overlay: LiveOverlay | None = None
        self._seen: tuple[Any, ...] = ()
        self._is_new = False
        self._asked: dict[int, _Frame] = {}
        self._handed = 0
        self._shown: _Frame | None = None
        self._answers: deque[tuple[float, float]] = deque(maxlen=_REMEMBERED)
        self._stated_s = 0.0
        self._made: dict[str, Any] = {}
        #: Frames that came, that were answered, and that a newer one overtook.
        self.received = self.answered = self.overtaken = 0
        self.parameters: MicroUSParameterNode | None = None
        self._timer = qt.QTimer()
        self._timer.interval = _EVERY_MS
        self._timer.timeout.connect(self.look)
        ui.liveStartButton.clicked.connect(self.start)
        ui.liveStopButton.clicked.connect(self.stop)
        ui.liveKeepButton.clicked.connect(self.keep)
        ui.liveVolumeSelector.currentNodeChanged.connect(self.refresh)
        self.refresh()

    @property
    def is_running(self) -> bool:
        """Whether a child is at work."""
        return self._runner is not None

    def use(self, parameters: MicroUSParameterNode | None) -> None:
        """Work on these choices from now on; what runs continues without them."""
        self.parameters = parameters
        self.refresh()

    def refresh(self, *args: object) -> None:
        """Enable what can be pressed now."""
        has_volume = self._ui.liveVolumeSelector.currentNode() is not None
        self._ui.liveStartButton.enabled = has_volume and not self.is_running
        self._ui.liveVolumeSelector.enabled = not self.is_running
        self._ui.liveStopButton.enabled = self.is_running
        self._ui.liveKeepButton.enabled = self._shown is not None

    def start(self, *args: object) -> None:
        """Install what is missing, and follow the chosen volume."""
        with shown_plainly(_("The volume is not followed.")):
            self._ensure_packages()
            self._start(self._ui.liveVolumeSelector.currentNode())

    def _start(self, volume: slicer.vtkMRMLVolumeNode) -> None:
        from napari_microus.core.library import DEFAULT_MODEL
        from napari_microus.core.live import Exchange

        require_frame(volume)
        choices = self.parameters
        runner = self._make_runner(self._on_event, self._on_outcome)
        line = ["live-exchange", str(runner.folder)]
        line += ["--model", choices.modelName or DEFAULT_MODEL]
        line += ["--device", choices.device, "--probe", choices.probe]
        runner.start([*line, "--progress", "json"])
        self._runner, self._volume = runner, volume
        self._frames = Exchange(runner.folder, "frame")
        self._capsules = Exchange(runner.folder, "capsule")
        self._overlay = LiveOverlay(NAME, volume)
        self.received = self.answered = self.overtaken = 0
        self._asked.clear()
        self._answers.clear()
        self._seen, self._shown = (), None
        events = (
            slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent,
            vtk.vtkCommand.ModifiedEvent,
        )
        self._tags = [volume.AddObserver(event, self._on_volume) for event in events]
        self._on_volume()
        self._timer.start()
        self._say(_("Loading the model …"))
        self.refresh()

    def _on_volume(self, *args: object) -> None:
        """Take note of a new picture; several events may report the same one."""
        image = self._volume.GetImageData()
        scalars = image.GetPointData().GetScalars() if image is not None else None
        if scalars is None:
            return
        seen = (
            image.GetAddressAsString(""),
            image.GetMTime(),
            scalars.GetMTime(),
        )
        if seen != self._seen:
            self._seen = seen
            self.received += 1
            self._is_new = True

    def look(self) -> None:
        """Hand the newest frame over, and show the newest capsule."""
        if not is_in_scene(self._volume):
            self.abandon(
                _(
                    "The volume was removed from the scene, and is not followed any "
                    "more."
                )
            )
            return
        try:
            if self._is_new:
                self._is_new = False
                self._hand_over()
            taken = self._capsules.take()
            if taken is not None:
                self._show(*taken)
        except Exception as error:  # noqa: BLE001  a timer must not fail on and on
            self.abandon(in_plain_words(error))

    def _hand_over(self) -> None:
        require_frame(self._volume)
        frame = _Frame(
            _grey(self._volume), ijk_to_ras(self._volume), time.perf_counter()
        )
        if self._frames.put(self.received, frame.array):
            self._asked.pop(self._handed, None)  # never answered; a model may be slow
        self._handed = self.received
        self._asked[self.received] = frame

    def _show(self, number: int, capsule: np.ndarray) -> None:
        frame = self._asked.get(number)
        if frame is None or frame.array.shape != capsule.shape:
            return  # of a run before
        frame.capsule = capsule
        for older in [n for n in self._asked if n <= number]:
            del self._asked[older]
        self.answered += 1
        if self.answered == 1:
            self._made = _provenance(self._runner.folder)
        # What is younger than the answer waits, and is not overtaken yet.
        self.overtaken = number - self.answered
        self._shown = frame
        self._overlay.show(capsule, frame.affine)
        now = time.perf_counter()
        self._answers.append((now, now - frame.at_s))
        if self.answered == 1 or now - self._stated_s > _SHOWN_EVERY_S:
            self._stated_s = now
            self._tell()
            self.refresh()

    def _tell(self) -> None:
        first, last = self._answers[0][0], self._answers[-1][0]
        rate = (len(self._answers) - 1) / (last - first) if last > first else 0.0
        latency = sorted(seconds for _at, seconds in self._answers)
        self._say(
            _(
                "{0} frames/s, answered after {1} ms. {2} of {3} answered, {4} left "
                "out for newer ones. Not for clinical use."
            ).format(
                f"{rate:.1f}",
                round(1e3 * latency[len(latency) // 2]),
                self.answered,
                self.received,
                self.overtaken,
            )
        )

    def keep(self, *args: object) -> None:
        """Add the frame whose capsule is shown, and the capsule, as nodes."""
        with shown_plainly(_("The frame was not kept.")):
            shown = self._shown
            volume = slicer.mrmlScene.AddNewNodeByClass(
                "vtkMRMLScalarVolumeNode",
                slicer.mrmlScene.GenerateUniqueName(_("Live frame")),
            )
            slicer.util.updateVolumeFromArray(volume, shown.array[None].copy())
            volume.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(shown.affine))
            if is_in_scene(self._volume):
                volume.SetAndObserveTransformNodeID(self._volume.GetTransformNodeID())
            volume.CreateDefaultDisplayNodes()
            mask = grid_from_node(volume).like(shown.capsule[None].astype(np.uint8))
            made = {**self._made, "image": volume.GetName()}
            segmentation, _id = put_capsule(mask, None, volume, None, made)
            self._say(
                _("'{0}' and '{1}' were kept.").format(
                    volume.GetName(), segmentation.GetName()
                )
            )

    def stop(self, *args: object) -> None:
        """Follow no longer; a capsule over a moving picture would mislead."""
        if self._runner is not None:
            self._say(_("Stopping …"))
            self._runner.cancel()
            self._leave()

    def abandon(self, reason: str) -> None:
        """End because the scene or the volume has gone or failed, and say so."""
        if self._runner is None:
            return
        self._runner.abandon()
        self._end()
        self._say(reason)
        slicer.util.errorDisplay(reason)

    def release(self) -> None:
        """End without a word: the module is going away."""
        if self._runner is not None:
            runner = self._runner
            self._end()
            runner.close()

    def _on_event(self, event: Event) -> None:
        from napari_microus.core.events import Notice

        if isinstance(event, Notice):
            self._say(event.message)

    def _on_outcome(self, outcome: Outcome) -> None:
        self._end()
        if outcome.state == "failed":
            self._say(outcome.message)
            slicer.util.errorDisplay(outcome.message, detailedText=outcome.log)
        else:
            self._say(_("Stopped."))

    def _leave(self) -> None:
        """Observe and show nothing more."""
        self._timer.stop()
        for tag in self._tags:
            self._volume.RemoveObserver(tag)
        self._tags = []
        if self._overlay is not None:
            self._overlay.remove()
        self._overlay = None

    def _end(self) -> None:
        self._leave()
        self._runner = self._frames = self._capsules = None
        self._asked.clear()
        self.refresh()

    def _say(self, words: str) -> None:
        self._ui.liveStatusLabel.text = words


def require_frame(volume: slicer.vtkMRMLVolumeNode | None) -> None:
    """Raise a sentence unless a volume is one grey or colour frame.

    Raises
    ------
    InputError
        See `scene.nodes.require_volume`; or there are several frames.
    """
    from napari_microus.core.errors import InputError

    require_any_volume(volume, _("live volume"))
    count = volume.GetImageData().GetDimensions()[2]
    if count != 1:
        raise InputError(
            f"A live volume must be one frame; got {count} in '{volume.GetName()}'. "
            "Choose the volume that the connector updates, or Segment for a sweep.",
            plain=(
                f"'{volume.GetName()}' has {count} frames, and a live volume "
                "has one. Choose the volume that the connector updates, or "
                "Segment for a sweep."
            ),
        )


def _grey(volume: slicer.vtkMRMLVolumeNode) -> np.ndarray:
    """Return a copy of a volume's one frame, grey."""
    from napari_microus.core.io.colour import to_grey

    array = slicer.util.arrayFromVolume(volume)
    frame: np.ndarray = to_grey(array)[0][0] if array.ndim == 4 else array[0].copy()
    return frame


def _provenance(folder: Path) -> dict[str, Any]:
    """Return who draws the capsules, as the child wrote it down."""
    with suppress(OSError, ValueError):
        made: dict[str, Any] = json.loads(
            (folder / "provenance.json").read_text(encoding="utf-8")
        )
        return made
    return {}
