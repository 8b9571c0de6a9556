"""Dock widget that draws the prostate capsule as an editable layer."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error
from qtpy.QtCore import QEvent, Qt, QTimer
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import (
    QLabel,
    QProgressBar,
    QShortcut,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_microus.core import library
from napari_microus.core.errors import InputError, MicroUSError, plain_words
from napari_microus.core.events import Notice, Progress
from napari_microus.widgets._shared import key_table
from napari_microus.widgets._shared.accessible import describe_controls
from napari_microus.widgets._shared.belonging import remember_scans
from napari_microus.widgets._shared.closing import guard_closing
from napari_microus.widgets._shared.controls import push_button, scrolled
from napari_microus.widgets._shared.dock import NARROWEST, Dock
from napari_microus.widgets._shared.drawn import begin_notes, note_drawn
from napari_microus.widgets._shared.empty_state import EmptyState
from napari_microus.widgets._shared.first_use import welcome_once
from napari_microus.widgets._shared.footer import Footer
from napari_microus.widgets._shared.layers import geometry
from napari_microus.widgets._shared.opening import ask_folder, ask_scans, open_sample
from napari_microus.widgets._shared.saving import ask_path, save
from napari_microus.widgets._shared.view import refit
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets._shared.worker import start_worker
from napari_microus.widgets.segment.form import SegmentForm
from napari_microus.widgets.segment.layers import (
    add_map,
    check_image,
    current_frame,
    describe,
    find_capsule,
    provenance,
    replace_frames,
)
from napari_microus.widgets.segment.loose_pictures import LoosePictures
from napari_microus.widgets.segment.partial_capsule import PartialCapsule
from napari_microus.widgets.segment.readout import Readout
from napari_microus.widgets.segment.request import PartialMask, Request
from napari_microus.widgets.segment.results import ResultsPanel
from napari_microus.widgets.segment.scan_properties import ScanPropertiesPanel
from napari_microus.widgets.segment.size_box import SizeBox
from napari_microus.widgets.segment.work import (
    Segmenter,
    load_lazily,
    predict_lazily,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    import napari
    from napari.layers import Image, Labels
    from qtpy.QtGui import QShowEvent

    from napari_microus.core.events import Event
    from napari_microus.core.library import LoadedModel, ModelInfo
    from napari_microus.widgets._shared.worker import Worker
    from napari_microus.widgets.segment.readout import Size
    from napari_microus.widgets.segment.request import Segmented

_log = logging.getLogger(__name__)

SHORTCUT = key_table.SEGMENT
# Let the dock appear before work begins beside it.
_WARM_UP_AFTER_MS = 300


class SegmentWidget(Dock):
    """Draw the capsule in the chosen image, as a layer to edit and to measure.

    Parameters
    ----------
    viewer : Viewer or ViewerModel
        Viewer to read from and add to.
    predict : callable
        `core.predict.predict`, imported when the first run begins.
    load_model : callable
        `core.library.load_model`, called when the dock has been opened.
    list_models : callable
        `core.library.list_models`.
    parent : QWidget, optional
        Qt parent.
    """

    def __init__(
        self,
        viewer: napari.viewer.Viewer,
        *,
        predict: Callable[..., Generator[Event, None, Any]] = predict_lazily,
        load_model: Callable[..., LoadedModel] = load_lazily,
        list_models: Callable[[], list[ModelInfo]] = library.list_models,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        # napari hands docks a proxy that makes new objects of the same layers at
        # each access; to recognise a layer takes the viewer itself.
        viewer = getattr(viewer, "__wrapped__", viewer)
        remember_scans(viewer)
        self._viewer = viewer
        self._segmenter = Segmenter(load_model, predict)
        self._worker: Worker | None = None
        self._image: Image | None = None
        self._request: Request | None = None
        self._stopped_by = ""
        self._partial = PartialCapsule(viewer, self)
        self._idle: QTimer | None = None

        self.loose = LoosePictures(viewer)
        self.empty = EmptyState(tr("No scan open. Open a scan to begin."))
        self.open_button = self.empty.add(
            tr("Open scan…"), tr("DICOM, NIfTI, NRRD or pictures."), self._ask_scan
        )
        self.folder_button = self.empty.add(
            tr("Open folder…"),
            tr("A folder of frames or of DICOM files, as one scan."),
            self._ask_folder,
        )
        self.sample_button = self.empty.add(
            tr("Try a real scan"),
            tr("Opens ten real frames of one patient, which come with the plugin."),
            self._open_sample,
        )
        self.footer = Footer(viewer)
        self.footer.serve(self)
        self.form = SegmentForm(viewer, list_models)
        self.run_button = push_button(tr("Segment"), f"Draw the capsule ({SHORTCUT}).")
        self.progress = QProgressBar()
        self.message = QLabel()
        self.save_button = push_button(
            tr("Save segmentation (NIfTI, NRRD)…"),
            tr(
                "Write the capsule named above in its scan's geometry, and beside it "
                "who drew it."
            ),
        )
        self.save_button.setEnabled(False)
        self.ask_path: Callable[[Labels], str] = ask_path
        self.properties = ScanPropertiesPanel(viewer)
        self.size_box = SizeBox(viewer)
        self.area, self.volume = self.size_box.area, self.size_box.volume
        self.results = ResultsPanel(viewer, self.size_box)
        self.readout = Readout(viewer, self)
        self._lay_out()

        self.run_button.clicked.connect(self._run_or_cancel)
        self.save_button.clicked.connect(self.save)
        self.results.opened.connect(self.readout.watch)
        shortcut = QShortcut(QKeySequence(SHORTCUT), self)
        shortcut.activated.connect(self.run_button.click)
        self.form.changed.connect(self._check_ready)
        self.form.changed.connect(self._show_properties)
        self.readout.changed.connect(self._show_size)
        viewer.layers.selection.events.active.connect(self._follow_selection)
        viewer.layers.events.removed.connect(self._forget_removed)
        self._follow_selection()
        self._check_ready()
        self._show_properties()
        describe_controls(self)

    def save(self) -> None:
        """Ask for a path, and save the capsule that is measured."""
        layer = self.readout.layer
        if layer is None:
            return
        path = self.ask_path(layer)
        if not path:
            return
        try:
            self._say(tr("Saved {path}.").format(path=save(layer, path)))
        except MicroUSError as error:
            self._say(plain_words(error))

    def _lay_out(self) -> None:
        self.progress.setVisible(False)
        self.message.setVisible(False)
        self.message.setWordWrap(True)
        self.message.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
        )
        self.run_button.setSizePolicy(
            QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed
        )
        self.size_box.rows.addRow(self.save_button)
        self.size_box.rows.addRow(self.results)
        inside = QWidget()
        column = QVBoxLayout(inside)
        for row in (
            self.loose,
            self.empty,
            self.form,
            self.properties,
            self.run_button,
            self.progress,
            self.message,
            self.size_box,
            self.footer,
        ):
            column.addWidget(row)
        column.addStretch()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scrolled(inside))
        self.setMinimumWidth(NARROWEST)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)

    @property
    def is_running(self) -> bool:
        """True from the click on *Segment* until its end."""
        return self._worker is not None

    def event(self, event: QEvent) -> bool:
        """Hold no model where napari has taken the dock away; Qt's name.

        napari keeps the widgets of closed docks alive.
        """
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            if self._idle is not None:
                self._idle.stop()
            self._segmenter.forget()
        return bool(super().event(event))

    def showEvent(self, event: QShowEvent) -> None:
        """Warm up for the first run, once; Qt's name."""
        super().showEvent(event)
        if self._idle is None:
            self._idle = QTimer(self)
            self._idle.setSingleShot(True)
            self._idle.timeout.connect(self._warm_up)
            self._idle.start(_WARM_UP_AFTER_MS)
            guard_closing(self, self._viewer)
            refit(self, self._viewer)
            welcome_once(self, self._viewer)

    def _ask_scan(self) -> None:
        ask_scans(self._viewer)

    def _ask_folder(self) -> None:
        ask_folder(self._viewer)

    def _open_sample(self) -> None:
        open_sample(self._viewer, with_outlines=False)

    def _warm_up(self) -> None:
        model = self.form.model
        if model is not None and not self.is_running:
            warm_up = start_worker(self._segmenter.warm_up, model, self.form.device)
            self.destroyed.connect(warm_up.forget)

    def _check_ready(self) -> None:
        """Allow a run when everything is chosen, else say what is missing."""
        if self.is_running:
            return
        has_image = self.form.image is not None
        self.empty.setVisible(not has_image)
        if not has_image:
            self.run_button.setEnabled(False)
            self._say("")
            return
        try:
            check_image(self.form.image)
            if self.form.takes_volumes:
                for layer in self.form.channels.chosen().values():
                    check_image(layer)
            if self.form.model is None:
                raise InputError(
                    "There must be a model to segment with; got an empty library. "
                    "Train one, or import one with 'napari-microus models import'.",
                    plain="There is no model to segment with. Train one, or import one "
                    "with 'napari-microus models import'.",
                )
        except InputError as error:
            self.run_button.setEnabled(False)
            self._say(plain_words(error))
            return
        if not self.run_button.isEnabled():
            self.run_button.setEnabled(True)
            self._say("")

    def _run_or_cancel(self) -> None:
        if self._worker is not None:
            self._worker.quit()
            self.run_button.setEnabled(False)
            self.run_button.setText(tr("Cancelling …"))
            return
        image, model = check_image(self.form.image), self.form.model
        assert model is not None  # the button is off without one
        channels = self.form.channels.chosen() if self.form.takes_volumes else {}
        image = next(iter(channels.values()), image)
        self._image = image
        self._request = Request(
            image.data,
            _attributes(image),
            model,
            self.form.device,
            self.form.frames(),
            self.form.settings(),
            self.form.maps(),
            current_frame(self._viewer, image),
            {name: (one.data, _attributes(one)) for name, one in channels.items()},
        )
        self._say("")
        self._stopped_by = ""
        self.form.setEnabled(False)
        self.run_button.setText(tr("Cancel"))
        self.progress.setRange(0, 0)
        self.progress.setFormat("")
        self.progress.setVisible(True)
        self._worker = start_worker(
            self._segmenter.run,
            self._request,
            yielded=self._on_event,
            returned=self._on_result,
            errored=self._on_error,
            aborted=self._on_cancelled,
            finished=self._on_finished,
        )
        self.destroyed.connect(self._worker.forget)

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Progress):
            self.progress.setRange(0, event.total)
            self.progress.setValue(event.done)
            counted = f"{event.done} of {event.total} {event.unit}"
            self.progress.setFormat(counted if event.total else event.message)
            if not event.total:
                self._say(f"{event.message} …")
            elif event.done == 0:
                self._say("")
            self._partial.look()
        elif isinstance(event, PartialMask):
            assert self._image is not None  # set by the click that began the run
            self._partial.begin(self._image, event)
        elif isinstance(event, Notice):
            self._say(event.message)

    def _on_result(self, result: Segmented) -> None:
        assert self._image is not None  # set by the click that began the run
        assert self._request is not None
        if self._stopped_by:  # it came too late to be stopped
            self._on_cancelled()
            return
        image, frames = self._image, self._request.frames
        made = describe(image, self._request, result)
        old = None if frames is None else find_capsule(self._viewer, image)
        if old is None or frames is None:
            layer = self._partial.finish(image, result.mask, made)
            note_drawn(layer, result.checksums)
            words = tr("Drew the capsule as '{name}' in {seconds} s.")
            if self._request.channels:
                layer.name = f"{image.name} {result.model.name}"
                words = tr("Drew '{name}' in {seconds} s.")
            said = words.format(name=layer.name, seconds=f"{result.seconds:.1f}")
        else:
            layer = old
            is_new = replace_frames(layer, result.mask, frames, made)
            span = _span(frames)
            said = (
                tr("{frames} re-segmented. Undo: Ctrl+Z.")
                if is_new
                else tr("No change in {frames}.")
            )
            said = said.format(frames=span)
            said = said[:1].upper() + said[1:]
        if result.is_empty and not self._request.channels:  # which states it itself
            said = tr("The model found no capsule here.") + f" {said}"
        for name, values in result.maps.items():
            add_map(self._viewer, image, name, values)
        self.readout.watch(layer)
        self._say(" ".join([said, *_doubt(result), *result.notices]))

    def _on_error(self, error: Exception) -> None:
        self._partial.drop()
        words = plain_words(error)
        if not isinstance(error, MicroUSError):
            words = tr("Segmenting failed: {error}").format(error=words)
        _log.error(words, exc_info=error)
        self._say(words)
        show_error(words)

    def _on_cancelled(self) -> None:
        self._partial.drop()
        self._say(self._stopped_by or tr("Cancelled; nothing was changed."))

    def _on_finished(self) -> None:
        self._worker = None
        self.form.setEnabled(True)
        self.run_button.setText(tr("Segment"))
        self.run_button.setEnabled(True)
        self.progress.setVisible(False)
        said = self.message.text()
        self._check_ready()
        if said and said != self.message.text():
            self._say(f"{said} {self.message.text()}".strip())

    def _follow_selection(self) -> None:
        active = self._viewer.layers.selection.active
        if active is not None and provenance(active) is not None:
            begin_notes(active)
            self.readout.watch(active)

    def _forget_removed(self) -> None:
        if self.readout.layer not in self._viewer.layers:
            self.readout.watch(None)
        if self._worker is None:
            return
        if self._image not in self._viewer.layers:
            self._stopped_by = tr("The image is gone: nothing was drawn.")
        elif self._partial.was_removed:
            self._stopped_by = tr("The capsule was removed while it was being drawn.")
        else:
            return
        self._worker.quit()

    def _show_properties(self) -> None:
        self.properties.show_image(self.form.image)

    def _show_size(self, size: Size) -> None:
        layer: Labels | None = self.readout.layer
        made = None if layer is None else provenance(layer)
        self.size_box.show_size(
            tr("Capsule") if layer is None else layer.name,
            size,
            is_gland=made is None or "channels" not in made,
        )
        self.save_button.setEnabled(layer is not None)
        self.results.watch(layer)

    def _say(self, words: str) -> None:
        self.message.setText(words)
        self.message.setVisible(bool(words))


def _attributes(image: Image) -> dict[str, Any]:
    """Return what the thread needs of a layer beside its data."""
    return {**geometry(image), "metadata": image.metadata, "rgb": image.rgb}


def _span(frames: tuple[int, ...]) -> str:
    if len(frames) == 1:
        return tr("frame {number}").format(number=frames[0])
    words = tr("frames {first} to {last}")
    return words.format(first=frames[0], last=frames[-1])


def _doubt(result: Segmented) -> list[str]:
    """Return which frames to look at first; nothing where none stands out."""
    frames = result.confidence.get("look_first", [])
    if not frames:
        return []
    from napari_microus.core.predict.confidence import in_words

    return [in_words(frames, len(result.confidence["frames"]))]
