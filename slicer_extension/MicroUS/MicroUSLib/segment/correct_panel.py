"""The part *Correct*: approve frames, and let the others follow.

Painting is the Segment Editor's; here is what it lacks. Each change is one step of its
history.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import slicer
from slicer.i18n import tr as _

from MicroUSLib.event_pump import Cancelled, EventPump, drain
from MicroUSLib.failure import shown_plainly
from MicroUSLib.process import Outcome, Runner
from MicroUSLib.scene.grids import require_same_scan
from MicroUSLib.scene.nodes import (
    grid_from_node,
    is_in_scene,
    jump_to_voxel,
    shown_frame,
    volume_from_node,
)
from MicroUSLib.scene.segments import change_frames, own_capsule, segment_array
from MicroUSLib.scene.undo import save_state_for_undo

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import SimpleNamespace

    from MicroUSLib.parameters import MicroUSParameterNode
    from MicroUSLib.process import RunnerMaker
    from napari_microus.core.events import Event

#: Attribute of a segmentation node: the frames that a person approved, as JSON.
APPROVED = "MicroUS.approvedFrames"


class CorrectPanel:
    """Ties the widgets of *Correct* to the segmentation of *Segment*.

    Parameters
    ----------
    ui : namespace
        The widgets of ``MicroUS.ui`` by name.
    ensure_packages : callable
        Installs what is missing, or raises.
    make_runner : callable
        Makes the runner of the child that learns.
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
        self._learning: tuple[Any, Any, str] | None = None
        self._pump = EventPump(self._show_progress)
        self.parameters: MicroUSParameterNode | None = None
        ui.approveFrameButton.clicked.connect(self.approve)
        ui.nextFrameButton.clicked.connect(self.go_to_next)
        ui.interpolateFramesButton.clicked.connect(self.interpolate)
        ui.carryBackButton.clicked.connect(lambda *_args: self.carry(-1))
        ui.carryOnButton.clicked.connect(lambda *_args: self.carry(1))
        ui.learnButton.clicked.connect(self.learn)
        ui.cancelLearnButton.clicked.connect(self.cancel)
        ui.segmentationSelector.currentNodeChanged.connect(self.refresh)

    def use(self, parameters: MicroUSParameterNode | None) -> None:
        """Work on these choices from now on; None while the module is not shown."""
        self.parameters = parameters
        self.refresh()

    def refresh(self, *args: object) -> None:
        """Enable what can be pressed now, and show how far the review is."""
        segmentation = self._ui.segmentationSelector.currentNode()
        is_ready = segmentation is not None and own_capsule(segmentation) is not None
        for name in (
            "approveFrameButton",
            "nextFrameButton",
            "interpolateFramesButton",
            "carryBackButton",
            "carryOnButton",
        ):
            getattr(self._ui, name).enabled = is_ready
        self._ui.learnButton.enabled = is_ready and self._runner is None
        self._ui.cancelLearnButton.enabled = self._runner is not None
        if self._runner is not None:
            return
        if not is_ready:
            self._say(_("Segment a scan, or choose its capsule above, first."))
            return
        self._report(segmentation)

    def _report(
        self, segmentation: slicer.vtkMRMLSegmentationNode, more: str = ""
    ) -> None:
        frames = sorted(approved_frames(segmentation))
        listed = ", ".join(str(frame) for frame in frames) or _("none")
        self._say(_("Approved frames: {0}. {1}").format(listed, more).strip())

    def approve(self, *args: object) -> None:
        """Call the shown frame right, and go to the next that is not approved."""
        with shown_plainly(_("The frame was not approved.")):
            volume, segmentation, _capsule = self._chosen()
            frames = approved_frames(segmentation) | {shown_frame(volume)}
            keep_approved(segmentation, frames)
            self.go_to_next()

    def go_to_next(self, *args: object) -> None:
        """Show the next frame that is not approved."""
        from napari_microus.core.edit.review import Review

        volume, segmentation, _capsule = self._chosen()
        scan = grid_from_node(volume)
        count, height, width = scan.shape
        review = Review(count, approved=approved_frames(segmentation))
        frame = review.next_unapproved(shown_frame(volume))
        if frame is None:
            self._report(segmentation, _("Every frame is approved."))
            return
        jump_to_voxel(volume, frame, (height - 1) / 2, (width - 1) / 2)
        self._report(segmentation)

    def interpolate(self, *args: object) -> None:
        """Fill the frames between those that were approved."""
        with shown_plainly(_("Nothing was interpolated.")):
            from napari_microus.core.edit.interpolate import interpolate

            volume, segmentation, capsule = self._chosen()
            array = segment_array(segmentation, capsule, volume) == 1
            found = interpolate(array, approved_frames(segmentation))
            self._put(found, volume, segmentation, capsule)
            self._report(
                segmentation,
                _("Interpolated {0} frames; Undo takes it back.").format(len(found)),
            )

    def carry(self, direction: int) -> None:
        """Carry the shown frame's outline before or after it, up to an approved one."""
        with shown_plainly(_("Nothing was carried.")):
            from napari_microus.core.edit.propagate import propagate

            volume, segmentation, capsule = self._chosen()
            scan = volume_from_node(volume).array
            array = segment_array(segmentation, capsule, volume) == 1
            start, last = shown_frame(volume), len(array) - 1
            wanted = start + direction * int(self._ui.carryFramesSpinBox.value)
            end = int(np.clip(wanted, 0, last))
            approved = approved_frames(segmentation)
            for frame in range(start + direction, end + direction, direction):
                if frame in approved:
                    end = frame - direction
                    break
            try:
                done = drain(propagate(scan, array[start], start, end), self._pump)
            except Cancelled:
                return
            self._put(done.masks, volume, segmentation, capsule)
            self._report(segmentation, done.sentence)

    def learn(self, *args: object) -> None:
        """Adapt the model to the approved frames in a child, and draw the others."""
        with shown_plainly(_("Nothing was learnt.")):
            self._ensure_packages()
            from napari_microus.core.errors import InputError
            from napari_microus.core.io import write_mask, write_volume
            from napari_microus.core.library import DEFAULT_MODEL

            volume, segmentation, capsule = self._chosen()
            frames = sorted(approved_frames(segmentation))
            if not frames:
                raise InputError(
                    "To learn, at least one frame must be approved; got none. Correct "
                    "a frame and press Approve frame.",
                    plain=(
                        "No frame is approved yet to learn from. Correct a frame and "
                        "press Approve frame."
                    ),
                )
            scan = volume_from_node(volume)
            mask = scan.like(np.array(segment_array(segmentation, capsule, volume)))
            runner = self._make_runner(self._on_event, self._on_outcome)
            folder = runner.folder
            write_volume(scan, folder / "scan.nii")
            write_mask(mask, folder / "corrected.nii")
            choices = self.parameters
            line = ["teach", str(folder / "scan.nii"), str(folder / "corrected.nii")]
            line += ["--frames", ",".join(map(str, frames))]
            line += ["--output", str(folder / "capsule.nii")]
            line += ["--model", choices.modelName or DEFAULT_MODEL]
            line += ["--device", choices.device, "--progress", "json"]
            runner.start(line)
            self._runner, self._learning = runner, (volume, segmentation, capsule)
            self._say(_("Learning from {0} frames …").format(len(frames)))
            self.refresh()

    def cancel(self, *args: object) -> None:
        """Ask the child to stop."""
        if self._runner is not None:
            self._say(_("Stopping …"))
            self._runner.cancel()

    def release(self) -> None:
        """Stop a child without a word: the scene or the module is going away."""
        if self._runner is not None:
            self._runner.close()
            self._runner = self._learning = None

    def _on_event(self, event: Event) -> None:
        from napari_microus.core.events import Progress

        if isinstance(event, Progress):
            words = _("{0} of {1} {2}").format(event.done, event.total, event.unit)
            self._say(words)

    def _on_outcome(self, outcome: Outcome) -> None:
        from napari_microus.core.io import read_volume

        runner, learning = self._runner, self._learning
        if runner is None or learning is None:
            return
        with shown_plainly(_("Nothing was learnt.")):
            found = None
            if outcome.state == "done":
                found = read_volume(runner.folder / "capsule.nii").array == 1
            self._runner = self._learning = None
            self.refresh()
            if found is None:
                is_cancelled = outcome.state == "cancelled"
                words = _("Cancelled; the scene is as it was.")
                self._say(words if is_cancelled else outcome.message)
                if not is_cancelled:
                    slicer.util.errorDisplay(outcome.message, detailedText=outcome.log)
                return
            volume, segmentation, capsule = learning
            if not (is_in_scene(volume) and is_in_scene(segmentation)):
                self._say(_("Scan or capsule left the scene; nothing was changed."))
                return
            self._put(dict(enumerate(found)), volume, segmentation, capsule)
            self._report(
                segmentation, _("The others were drawn again; Undo takes it back.")
            )

    def _chosen(
        self,
    ) -> tuple[slicer.vtkMRMLVolumeNode, slicer.vtkMRMLSegmentationNode, str]:
        """Return scan, segmentation and capsule that fit together.

        Raises
        ------
        InputError
            If one is missing, or the capsule is another scan's.
        """
        from napari_microus.core.errors import InputError

        volume = self._ui.volumeSelector.currentNode()
        segmentation = self._ui.segmentationSelector.currentNode()
        capsule = None if segmentation is None else own_capsule(segmentation)
        if volume is None or capsule is None:
            raise InputError(
                "A scan and its capsule must be chosen above; got none. Segment the "
                "scan first.",
                plain=(
                    "No scan with a capsule is chosen above. Segment the scan first."
                ),
            )
        require_same_scan(segmentation, volume)
        return volume, segmentation, capsule

    def _put(
        self,
        frames: dict[int, Any],
        volume: slicer.vtkMRMLVolumeNode,
        segmentation: slicer.vtkMRMLSegmentationNode,
        capsule: str,
    ) -> None:
        """Draw frames as one step of the Segment Editor's history."""
        approved = approved_frames(segmentation)
        chosen = sorted(frame for frame in frames if frame not in approved)
        if not chosen:
            return
        array = np.array(segment_array(segmentation, capsule, volume))
        for frame in chosen:
            array[frame] = frames[frame]
        save_state_for_undo(segmentation, volume)
        change_frames(array, chosen, segmentation, capsule, volume)

    def _show_progress(self, done: int, total: int, words: str) -> None:
        self._say(_("{0} of {1} frames").format(done, total))

    def _say(self, words: str) -> None:
        self._ui.correctStatusLabel.text = words


def approved_frames(segmentation: slicer.vtkMRMLSegmentationNode) -> set[int]:
    """Return the frames that a person approved; they are saved with the scene."""
    text = segmentation.GetAttribute(APPROVED)
    try:
        found = json.loads(text) if text else []
    except ValueError:
        return set()
    return {frame for frame in found if isinstance(frame, int)}


def keep_approved(
    segmentation: slicer.vtkMRMLSegmentationNode, frames: set[int]
) -> None:
    """Remember which frames were approved."""
    segmentation.SetAttribute(APPROVED, json.dumps(sorted(frames)))
