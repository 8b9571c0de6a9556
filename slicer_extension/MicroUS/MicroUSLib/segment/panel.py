"""The part *Segment*: a volume goes in, an editable capsule comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from MicroUSLib.combo_boxes import chosen
from MicroUSLib.event_pump import Cancelled, EventPump
from MicroUSLib.failure import shown_plainly
from MicroUSLib.parameters import ALL_FRAMES, RANGE, SEQUENCE, SHOWN_SLICE
from MicroUSLib.process import Outcome, Runner, delete_left_folders
from MicroUSLib.scene.grids import scan_of_annotation
from MicroUSLib.scene.nodes import is_in_scene, is_reversed, shown_frame

from . import job, sequences
from .channels import ChannelSelectors
from .measure_panel import MeasurePanel
from .properties_panel import PropertiesPanel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import SimpleNamespace

    from MicroUSLib.parameters import MicroUSParameterNode
    from MicroUSLib.process import RunnerMaker
    from napari_microus.core.events import Event

_BEFORE_INSTALL = _("microus-small (installed with the first Apply)")

# What is for models of frames alone.
_OF_FRAMES = (
    *("scopeComboBox", "batchSizeSpinBox", "probeComboBox"),
    *("largestComponentCheckBox", "fillHolesCheckBox", "smoothOutlineCheckBox"),
    *("leaveUnsureEmptyCheckBox", "useNeighboursCheckBox"),
)


class SegmentPanel:
    """Ties the widgets of *Segment* to the child process.

    Parameters
    ----------
    ui : namespace
        The widgets of ``MicroUS.ui`` by name.
    ensure_packages : callable
        Installs what is missing, or raises.
    make_runner : callable
        Makes the runner of one job.

    Attributes
    ----------
    channels : ChannelSelectors
        The volumes of a model of several channels.
    properties : PropertiesPanel
        The part *Scan properties*.
    measures : MeasurePanel
        The readout.
    """

    def __init__(
        self,
        ui: SimpleNamespace,
        ensure_packages: Callable[[], Any],
        make_runner: RunnerMaker = Runner,
    ) -> None:
        delete_left_folders()
        self._ui = ui
        self._ensure_packages = ensure_packages
        self._make_runner = make_runner
        self._runner: Runner | None = None
        self._job: _Job | None = None
        self._pump = EventPump(self._show_progress)
        self._output: slicer.vtkMRMLSegmentationNode | None = None
        self._channels_of: dict[str, tuple[str, ...]] = {}
        self.show_in_editor: Callable[[Any, Any], None] = _show_nothing
        self.parameters: MicroUSParameterNode | None = None
        self.channels = ChannelSelectors(ui.channelsHolder, self.refresh)
        ui.applyButton.clicked.connect(self.apply)
        ui.cancelButton.clicked.connect(self.cancel)
        ui.modelComboBox.currentIndexChanged.connect(self._on_model)
        ui.scopeComboBox.currentIndexChanged.connect(self.refresh)
        ui.volumeSelector.currentNodeChanged.connect(self._on_volume)
        self.properties = PropertiesPanel(ui, ensure_packages)
        self.measures = MeasurePanel(ui)
        self.properties.after_change.append(self.measures.remeasure)

    @property
    def is_running(self) -> bool:
        """Whether a child is running."""
        return self._runner is not None

    def use(self, parameters: MicroUSParameterNode | None) -> None:
        """Work on these choices from now on; None while the module is not shown."""
        self.parameters = parameters
        if parameters is not None and is_in_scene(self._output):
            parameters.segmentation = self._output  # made while the module was left
            self._output = None
        self.properties.use(parameters)
        self.measures.refresh()
        self.refresh_models()
        self.refresh()

    def refresh(self, *args: object) -> None:
        """Enable what can be pressed now, and say why something cannot."""
        lacking = self._lacking()
        self._ui.applyButton.enabled = not lacking and not self.is_running
        self._ui.applyButton.toolTip = lacking or _(
            "Segment the scan. The first time, asks to install what is missing."
        )
        self._ui.cancelButton.enabled = self.is_running
        self._ui.segmentProgressBar.visible = self.is_running
        is_of_frames = not self.channels.names
        for name in _OF_FRAMES:
            getattr(self._ui, name).enabled = is_of_frames
        is_range = is_of_frames and self._ui.scopeComboBox.currentText == RANGE
        self._ui.firstFrameSpinBox.enabled = is_range
        self._ui.lastFrameSpinBox.enabled = is_range

    def _lacking(self) -> str:
        """Return what must be chosen before Apply, "" where nothing is missing."""
        if not self.channels.names:
            has_volume = self._ui.volumeSelector.currentNode() is not None
            return "" if has_volume else _("Load a scan and choose it above first.")
        from napari_microus.core.errors import InputError

        try:
            self.channels.chosen()
        except InputError as error:
            return error.plain
        return ""

    def _on_volume(self, *args: object) -> None:
        """Choose no longer another scan's segmentation as the output."""
        volume = self._ui.volumeSelector.currentNode()
        if volume is not None:
            is_reversed(volume)  # kept with the node, before a scene is saved
        if self.parameters is not None and volume is not None:
            scan = scan_of_annotation(self.parameters.segmentation)
            if scan is not None and scan is not volume:
                self.parameters.segmentation = None
        self.channels.offer()
        self.refresh()

    def refresh_models(self) -> None:
        """List the library's models, and keep the choice."""
        box = self._ui.modelComboBox
        box.blockSignals(True)
        box.clear()
        self._channels_of, self._origin_of = {}, {}
        for name, note, names, origin in _models():
            box.addItem(note, name)
            self._channels_of[name] = names
            self._origin_of[name] = origin
        wanted = self.parameters.modelName if self.parameters is not None else ""
        box.currentIndex = max(0, box.findData(wanted))
        box.blockSignals(False)
        self._ask_for_channels()

    def _on_model(self, *args: object) -> None:
        if self.parameters is not None:
            self.parameters.modelName = chosen(self._ui.modelComboBox)
        self._ask_for_channels()

    def _ask_for_channels(self) -> None:
        if self.parameters is None:  # the module is not shown: choices stay
            return
        model = chosen(self._ui.modelComboBox)
        self._ui.modelOriginLabel.text = self._origin_of.get(model, "")
        self.channels.show_names(self._channels_of.get(model, ()))
        self.refresh()

    def apply(self, *args: object) -> None:
        """Install what is missing, check the request, and start the child."""
        with shown_plainly(_("The capsule was not segmented.")):
            self._say(_("Looking for what is needed …"))
            try:
                self._ensure_packages()
                self.refresh_models()
                self.properties.refresh()
                self._start()
            except BaseException:
                self._end()
                self._say(_("Nothing was changed."))
                raise

    def _start(self) -> None:
        job = self._make_job()
        job.check()
        runner = self._make_runner(self._on_event, self._on_outcome)
        runner.start(job.arguments(runner.folder))
        self._job, self._runner = job, runner
        self._pump = EventPump(self._show_progress)
        self._ui.segmentProgressBar.maximum = 0
        self._say(_("Segmenting '{0}' …").format(job.volume.GetName()))
        self.refresh()

    def cancel(self, *args: object) -> None:
        """Ask the child to stop."""
        if self._runner is not None:
            self._say(_("Stopping …"))
            self._runner.cancel()
            self._pump.cancel()

    def abandon(self, reason: str) -> None:
        """Stop a run whose scene is going away, and say so."""
        if self._runner is None:
            return
        self._runner.abandon()
        self._pump.cancel()
        self._end()
        self._say(reason)
        slicer.util.errorDisplay(reason)

    def release(self) -> None:
        """Stop a run without a word: the module is going away."""
        self.measures.leave()
        if self._runner is not None:
            self._pump.cancel()
            self._runner.close()
            self._end()

    def choose_model(self, name: str) -> None:
        """List the models again and choose one, such as one just trained."""
        self.refresh_models()
        index = self._ui.modelComboBox.findData(name)
        if index >= 0:
            self._ui.modelComboBox.currentIndex = index

    def _make_job(self) -> _Job:
        choices = self.parameters
        channels = self.channels.chosen()
        if channels:
            # The mask lies on the first one, which the other panels then work on.
            choices.volume = next(iter(channels.values()))
            return _ScanJob(
                job.Request(
                    choices.volume,
                    choices.segmentation,
                    choices.modelName,
                    choices.device,
                    options={"flip": choices.flip},
                    channels=channels,
                )
            )
        volume = choices.volume
        if choices.scope == SEQUENCE:
            return sequences.SequenceJob(
                volume, choices.modelName, choices.device, self._options()
            )
        return _ScanJob(
            job.Request(
                volume,
                choices.segmentation,
                choices.modelName,
                choices.device,
                self._frames(volume),
                self._options(),
            )
        )

    def _options(self) -> dict[str, Any]:
        choices = self.parameters
        return {
            "batch_size": choices.batchSize,
            "largest_component": choices.largestComponent,
            "fill_holes": choices.fillHoles,
            "flip": choices.flip,
            "outline": False if choices.smoothOutline else "raw",
            "min_confidence": False if choices.leaveUnsureEmpty else "0",
            "probe": choices.probe,
            # With the tick as the model recommends, which takes no switch.
            **({} if choices.useNeighbours else {"along_sweep": False}),
        }

    def _frames(self, volume: slicer.vtkMRMLVolumeNode) -> tuple[int, ...] | None:
        scope = self.parameters.scope
        if scope == ALL_FRAMES or volume is None or volume.GetImageData() is None:
            return None
        if scope == SHOWN_SLICE:
            return (shown_frame(volume),)
        ends = sorted((self.parameters.firstFrame, self.parameters.lastFrame))
        return tuple(range(ends[0], ends[1] + 1))

    def _show_progress(self, done: int, total: int, words: str) -> None:
        self._ui.segmentProgressBar.maximum = total
        self._ui.segmentProgressBar.value = done
        self._say(words)

    def _on_event(self, event: Event) -> None:
        from napari_microus.core.events import Notice, Progress

        if isinstance(event, Progress):
            words = _("{0} of {1} {2}").format(event.done, event.total, event.unit)
            self._show_progress(event.done, event.total, words)
        elif isinstance(event, Notice):
            self._say(event.message)
        if not is_in_scene(self._job.volume):
            self.abandon(
                _(
                    "The scan was removed from the scene, so that its segmentation was "
                    "stopped. Nothing was changed."
                )
            )

    def _on_outcome(self, outcome: Outcome) -> None:
        if outcome.state == "done":
            self._show()
            return
        self._end()
        if outcome.state == "cancelled":
            self._say(_("Cancelled; the scene is as it was."))
        else:
            self._say(outcome.message)
            slicer.util.errorDisplay(outcome.message, detailedText=outcome.log)

    def _show(self) -> None:
        """Put what the child made into the scene."""
        job, folder = self._job, self._runner.folder
        with shown_plainly(_("The capsule was not added.")):
            try:
                made = _provenance(folder)
                segmentation, segment_id = job.collect(folder, self._pump)
            except Cancelled:
                self._end()
                self._say(_("Cancelled; the scene is as it was."))
                return
            except BaseException:
                self._end()
                self._say(_("Nothing was changed."))
                raise
            self._end()
            if self.parameters is None:
                self._output = segmentation
            elif self.parameters.volume is job.volume:
                self.parameters.segmentation = segmentation
            self.show_in_editor(segmentation, job.volume)
            self.measures.remeasure(job.volume)
            name = segmentation.GetSegmentation().GetSegment(segment_id).GetName()
            self._say(
                _(
                    "'{0}' is in '{1}'. {2}Correct it in the Segment Editor. Not "
                    "for clinical use."
                ).format(name, segmentation.GetName(), _doubt(made))
            )

    def _end(self) -> None:
        self._job = self._runner = None
        self.refresh()

    def _say(self, words: str) -> None:
        self._ui.segmentStatusLabel.text = words


class _ScanJob:
    """One volume, or some of its frames."""

    def __init__(self, request: job.Request) -> None:
        self._request = request
        self.volume = request.volume

    def check(self) -> None:
        job.check(self._request)

    def arguments(self, folder: Path) -> list[str]:
        return job.arguments(self._request, folder)

    def collect(
        self, folder: Path, on_event: Callable[[Event], None]
    ) -> tuple[slicer.vtkMRMLSegmentationNode, str]:
        return job.collect(self._request, folder)


_Job = _ScanJob | sequences.SequenceJob


def _show_nothing(*args: object) -> None:
    """Take a segmentation and its scan where no editor is open."""


def _models() -> list[tuple[str, str, tuple[str, ...], str]]:
    """Return the usable models as (name, what the list shows, channels, origin)."""
    try:
        from napari_microus.core.library import list_models
    except ImportError:
        return [("", _BEFORE_INSTALL, (), "")]
    usable = [model for model in list_models() if not model.problem]
    return [(m.name, m.name, m.channels, m.origin()) for m in usable]


def _provenance(folder: Path) -> dict[str, Any]:
    """Return what the child wrote beside its mask; a sequence has none of its own."""
    from napari_microus.core.io import read_provenance

    return read_provenance(folder / "capsule.nii")


def _doubt(made: dict[str, Any]) -> str:
    """Return which frames to look at first, "" where none stands out."""
    from napari_microus.core.predict.confidence import in_words

    stated = made.get("confidence", {})
    frames = stated.get("look_first", [])
    return f"{in_words(frames, len(stated['frames']))} " if frames else ""
