"""Dock widget that shows a stream with its capsule."""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_microus.core import colors, library
from napari_microus.core.errors import plain_words
from napari_microus.core.events import Notice
from napari_microus.widgets._shared.accessible import describe_controls
from napari_microus.widgets._shared.boxes import DeviceBox, ModelBox
from napari_microus.widgets._shared.closing import guard_closing
from napari_microus.widgets._shared.controls import beside, scrolled, text
from napari_microus.widgets._shared.dock import NARROWEST, Dock
from napari_microus.widgets._shared.drawn import begin_notes
from napari_microus.widgets._shared.empty_state import EmptyState
from napari_microus.widgets._shared.first_use import welcome_once
from napari_microus.widgets._shared.footer import Footer
from napari_microus.widgets._shared.layers import METADATA_KEY, show_as_outline, tint
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets._shared.worker import start_worker
from napari_microus.widgets.live.work import LiveWork

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari
    from napari.layers import Layer
    from qtpy.QtGui import QShowEvent

    from napari_microus.core.events import Event
    from napari_microus.core.library import ModelInfo
    from napari_microus.core.live import LiveFrame
    from napari_microus.widgets._shared.worker import Worker

NAME = "live"
_VIDEOS = "Videos (*.mp4 *.mkv *.avi *.mov *.ts *.webm *.wmv);;All files (*)"
_DRAW_MS = 30
_SHOWN = 60  # answers over which rate and latency are given


class LiveWidget(Dock):
    """Connect to a stream, watch the capsule follow, keep frames and the cine.

    Parameters
    ----------
    viewer : Viewer or ViewerModel
        Shows the stream as a layer that changes, with its capsule over it.
    list_models : callable
        `core.library.list_models`.
    make_work : callable
        Makes what runs in the thread, see `LiveWork`.
    parent : QWidget, optional
        Qt parent.
    """

    def __init__(
        self,
        viewer: napari.viewer.Viewer,
        *,
        list_models: Callable[[], list[ModelInfo]] = library.list_models,
        make_work: Callable[..., LiveWork] = LiveWork,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        # napari hands docks a proxy; see `SegmentWidget`.
        self._viewer = getattr(viewer, "__wrapped__", viewer)
        self._list_models = list_models
        self._make_work = make_work
        self._work: LiveWork | None = None
        self._worker: Worker | None = None
        self._drawn: LiveFrame | None = None
        self._image: Image | None = None
        self._capsule: Image | None = None
        self._answers: deque[tuple[float, float, int]] = deque(maxlen=_SHOWN)
        self._kept = 0
        self.address = QLineEdit("localhost:18944")
        self.folder_button = QPushButton(tr("Folder…"))
        self.video_button = QPushButton(tr("Video…"))
        self.model_box = ModelBox()
        self.device_box = DeviceBox()
        self.connect_button = QPushButton(tr("Connect"))
        self.freeze_button = QPushButton(tr("Freeze"))
        self.freeze_button.setCheckable(True)
        self.keep_button = QPushButton(tr("Keep this frame"))
        self.record_button = QPushButton(tr("Record…"))
        self.numbers = text()
        self.message = text()
        self.empty = EmptyState(
            tr(
                "No stream yet. Write the scanner's address below and press Connect, "
                "or choose a folder into which pictures are written."
            )
        )
        self.empty.add(
            tr("Watch a folder…"),
            tr("Each picture that is written into it is segmented as it comes."),
            self.watch_folder,
        )
        self.footer = Footer(self._viewer)
        self.footer.serve(self)
        self._timer = QTimer(self)
        self._timer.setInterval(_DRAW_MS)
        self._lay_out()
        self._connect()
        self.refresh_models()
        self._show_running()
        describe_controls(self)

    def _lay_out(self) -> None:
        for control, tip in (
            (
                self.address,
                tr(
                    "A server of OpenIGTLink as host:port, a folder into which a "
                    "screen capture writes pictures, or a video file."
                ),
            ),
            (self.folder_button, tr("Choose the folder of a screen capture.")),
            (
                self.video_button,
                tr("Play a video; one that is being written (.mkv, .ts) is followed."),
            ),
            (
                self.connect_button,
                tr("Follow the stream with the model; a second click ends that."),
            ),
            (
                self.freeze_button,
                tr("Hold the picture; the stream continues behind it."),
            ),
            (
                self.keep_button,
                tr("Add the frame that is shown and its capsule as layers."),
            ),
            (
                self.record_button,
                tr("Keep frames and capsules from here on; asks for a file."),
            ),
        ):
            control.setToolTip(tip)
        source = QVBoxLayout()
        source.addWidget(self.address)
        source.addWidget(beside(self.folder_button, self.video_button))
        rows = QFormLayout()
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        rows.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        rows.addRow(tr("Stream"), source)
        rows.addRow(tr("Model"), self.model_box)
        rows.addRow(tr("Where the model runs"), self.device_box)
        buttons = QHBoxLayout()
        for button in (self.freeze_button, self.record_button):
            buttons.addWidget(button)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.addWidget(self.empty)
        column.addLayout(rows)
        column.addWidget(self.connect_button)
        column.addLayout(buttons)
        for row in (self.keep_button, self.numbers, self.message):
            column.addWidget(row)
        column.addStretch(1)
        column.addWidget(self.footer)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scrolled(inside))
        self.setMinimumSize(NARROWEST, 280)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)

    def _connect(self) -> None:
        self.model_box.opening.connect(self.refresh_models)
        self.folder_button.clicked.connect(self._choose_folder)
        self.video_button.clicked.connect(self._choose_video)
        self.connect_button.clicked.connect(self.start_or_stop)
        self.address.returnPressed.connect(self.start_or_stop)
        self.freeze_button.toggled.connect(self._draw)
        self.keep_button.clicked.connect(self.keep_frame)
        self.record_button.clicked.connect(self._record_or_end)
        self._timer.timeout.connect(self._draw)

    @property
    def is_running(self) -> bool:
        """True from *Connect* until the thread has ended."""
        return self._worker is not None

    def showEvent(self, event: QShowEvent) -> None:
        """Ask before the window closes over unsaved edits; Qt's name."""
        super().showEvent(event)
        guard_closing(self, self._viewer)
        welcome_once(self, self._viewer)

    def refresh_models(self) -> None:
        """Look again which models there are."""
        self.model_box.fill(self._list_models(), library.DEFAULT_MODEL)

    # --- the stream

    def start_or_stop(self) -> None:
        """Follow the source; a second click ends that."""
        if self._worker is not None:
            self._worker.quit()
            self.connect_button.setEnabled(False)
            return
        model, address = self.model_box.chosen, self.address.text().strip()
        if model is None or not address:
            self.message.setText(
                tr(
                    "Choose a model, and write where the frames come from: host:port, "
                    "a folder, or a video."
                )
            )
            return
        self._work = self._make_work(address, model, device=self.device_box.chosen)
        self._answers.clear()
        self._drawn = None
        self.freeze_button.setChecked(False)
        self.message.setText(tr("Connecting …"))
        self._worker = start_worker(
            self._work,
            yielded=self._on_event,
            errored=self._on_error,
            finished=self._on_end,
        )
        self.destroyed.connect(self._worker.forget)
        self._timer.start()
        self._show_running()

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Notice):
            self.message.setText(event.message)
            self._show_recording()

    def _on_error(self, error: Exception) -> None:
        self.message.setText(plain_words(error))

    def _on_end(self) -> None:
        self._timer.stop()
        self._worker = None
        if self.message.text() == tr("Connecting …"):
            self.message.clear()
        self._show_running()

    def _show_running(self) -> None:
        runs = self.is_running
        self.connect_button.setEnabled(True)
        self.connect_button.setText(tr("Disconnect") if runs else tr("Connect"))
        if runs:
            self.empty.setVisible(False)
        for control in (
            self.address,
            self.folder_button,
            self.video_button,
            self.model_box,
            self.device_box,
        ):
            control.setEnabled(not runs)
        self.freeze_button.setEnabled(runs)
        self.record_button.setEnabled(runs)
        self._show_recording()
        self.keep_button.setEnabled(self._drawn is not None)

    # --- what is shown

    def _draw(self, *_: object) -> None:
        """Show the newest answer, if it is not shown yet."""
        live = self._work.newest if self._work is not None else None
        if live is None or live is self._drawn:
            return
        self._report(live)
        if self.freeze_button.isChecked():
            return
        if self._drawn is None:
            self.message.clear()
        self._drawn = live
        self.keep_button.setEnabled(True)
        self._image = self._shown(self._image, live, live.frame, **_limits(live.frame))
        # An image: napari draws a label's outline for longer than a frame lasts.
        self._capsule = self._shown(
            self._capsule,
            live,
            live.mask,
            name=f"{NAME} capsule",
            colormap=["transparent", colors.CAPSULE],
            contrast_limits=(0, 1),
            interpolation2d="nearest",
            opacity=0.4,
        )

    def _shown(
        self, layer: Image | None, live: LiveFrame, values: Any, **settings: Any
    ) -> Image:
        """Put values into our layer, or into a new one where it has gone."""
        place = _place(live)
        if layer is not None and layer in self._viewer.layers:
            if layer.data.dtype == values.dtype:
                layer.data = values
                if tuple(layer.scale) != place["scale"]:
                    layer.scale = place["scale"]
                return layer
            self._viewer.layers.remove(layer)  # ours, and of another kind of pixel
        fresh = Image(values, **{"name": NAME, **settings}, **place)
        fresh.metadata[METADATA_KEY] = {"map": "live"}
        self._viewer.layers.append(fresh)
        return fresh

    def _report(self, live: LiveFrame) -> None:
        assert self._work is not None  # a frame came from it
        self._answers.append((time.monotonic(), live.latency_s, live.number))
        first, last = self._answers[0], self._answers[-1]
        rate = (last[2] - first[2]) / (last[0] - first[0]) if last != first else 0.0
        latency = float(np.median([answer[1] for answer in self._answers]))
        refused = f", {live.refused} refused" if live.refused else ""
        recorded = f" Recorded: {self._work.recorded}." if self._is_recording else ""
        self.numbers.setText(
            f"{rate:.1f} frames/s, answered after {1e3 * latency:.0f} ms. "
            f"{live.number} of {live.received} answered, {live.dropped} left out for "
            f"newer ones{refused}.{recorded}"
        )

    def keep_frame(self) -> None:
        """Add the frame that is shown and its capsule as layers of their own."""
        live = self._drawn
        if live is None:
            return
        self._kept += 1
        name, place = f"{NAME} {self._kept}", _place(live)
        stated = {METADATA_KEY: {"has_geometry": live.spacing_mm is not None}}
        image = Image(
            live.frame, name=name, metadata=stated, **_limits(live.frame), **place
        )
        made = self._work.provenance if self._work is not None else None
        drawn = {**stated[METADATA_KEY], "provenance": {**(made or {}), "image": name}}
        capsule: Layer = Labels(
            live.mask.copy(),
            name=f"{name} capsule",
            metadata={METADATA_KEY: drawn},
            **tint(colors.CAPSULE),
            **place,
        )
        show_as_outline(capsule)
        begin_notes(capsule)  # a frame that is changed by hand is known then
        self._viewer.layers.extend([image, capsule])
        self.message.setText(f"Kept as '{name}'.")

    # --- the cine

    @property
    def _is_recording(self) -> bool:
        return self.is_running and self._work is not None and self._work.is_recording

    def _show_recording(self) -> None:
        words = tr("Stop recording") if self._is_recording else tr("Record…")
        self.record_button.setText(words)

    def _record_or_end(self) -> None:
        if self._work is None:
            return
        if self._is_recording:
            self._work.record(None)
            self._show_recording()
            return
        chosen, _ = QFileDialog.getSaveFileName(
            self,
            tr("Keep the cine as"),
            "cine.nii.gz",
            "NIfTI (*.nii.gz);;NRRD (*.nrrd)",
        )
        if chosen and self._work is not None:
            self._work.record(Path(chosen))
            self._show_recording()

    def _choose_folder(self) -> None:
        self._asked_for_folder()

    def watch_folder(self) -> None:
        """Ask for a folder, and follow the pictures that are written into it."""
        if self._asked_for_folder():
            self.start_or_stop()

    def _asked_for_folder(self) -> bool:
        chosen = QFileDialog.getExistingDirectory(
            self, tr("Folder of the screen capture")
        )
        if chosen:
            self.address.setText(chosen)
        return bool(chosen)

    def _choose_video(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self, tr("Video to play"), "", _VIDEOS)
        if chosen:
            self.address.setText(chosen)


def _place(live: LiveFrame) -> dict[str, Any]:
    """Return where a layer of the stream lies."""
    if live.spacing_mm is None:
        return {"scale": (1.0, 1.0), "units": ("pixel", "pixel")}
    return {"scale": tuple(live.spacing_mm), "units": ("mm", "mm")}


def _limits(frame: Any) -> dict[str, Any]:
    """Return how grey values are shown: all of eight bits, else from what is there."""
    limits = (0, 255) if frame.dtype == np.uint8 else None
    return {"contrast_limits": limits, "colormap": "gray"}
