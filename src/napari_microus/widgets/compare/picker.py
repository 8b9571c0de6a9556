"""Choose the two masks to compare, and see that they share a grid."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtGui import QIntValidator
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QGridLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from napari_microus.core.compare.grid import resample_frames
from napari_microus.core.errors import InputError, MicroUSError, plain_words
from napari_microus.core.io.reading import stem_of
from napari_microus.core.mask import IGNORE_VALUE, label_values
from napari_microus.widgets._shared.boxes import combo
from napari_microus.widgets._shared.controls import beside, push_button
from napari_microus.widgets._shared.layers import (
    array_for_layer,
    derived_metadata,
    geometry,
    layer_arguments,
    volume_from_layer,
)
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets._shared.worker import start_worker
from napari_microus.widgets.compare.pair import (
    Pair,
    candidate_masks,
    guess_roles,
    layer_grid_problem,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from napari.components import ViewerModel
    from napari.layers import Labels

    from napari_microus.core.events import Event
    from napari_microus.core.volume import Volume
    from napari_microus.widgets._shared.worker import Worker

# Larger masks are thinned out to find which labels they hold.
_QUICK_PIXELS = 60_000_000


class PairPicker(QWidget):
    """Two choices of layer and label, with loading, swapping and resampling.

    Parameters
    ----------
    viewer : ViewerModel
        Its Labels layers fill the choices.
    """

    chosen = Signal(object)
    swapped = Signal()
    said = Signal(str)
    counted = Signal()

    def __init__(self, viewer: ViewerModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._worker: Worker | None = None
        self._resampled: tuple[Labels, str]
        # Until the user chooses, names decide the roles.
        self._is_guessed = True
        self.expert_box = combo(tr("The mask to measure against."))
        self.nonexpert_box = combo(tr("The mask of the annotator who is compared."))
        self.expert_value = _value_box()
        self.nonexpert_value = _value_box()
        self.load_button = push_button(
            tr("Load mask…"), tr("Open a mask file as a layer (NIfTI, NRRD, PNG …).")
        )
        self.swap_button = push_button(tr("Swap"), tr("Exchange the two roles."))
        self.compare_button = push_button(
            tr("Compare"),
            tr(
                "Show where the two masks differ, and keep it up to date while "
                "you edit."
            ),
        )
        self.message = QLabel()
        self.message.setWordWrap(True)
        self.resample_button = push_button(
            tr("Resample the second mask onto the first"),
            tr("Add a copy of the second mask on the grid of the first."),
        )
        self.resample_button.setVisible(False)
        self.cancel_button = push_button(tr("Cancel"), tr("End it; no layer is made."))
        self.cancel_button.setVisible(False)
        self._starters = (self.load_button, self.compare_button, self.resample_button)
        self._lay_out()
        self._connect()
        self.refresh()

    def _lay_out(self) -> None:
        rows = QGridLayout()
        rows.setContentsMargins(0, 0, 0, 0)
        for row, (name, box, value) in enumerate(
            (
                (tr("Expert"), self.expert_box, self.expert_value),
                (tr("Non-expert"), self.nonexpert_box, self.nonexpert_value),
            )
        ):
            rows.addWidget(QLabel(name), row, 0)
            rows.addWidget(box, row, 1)
            rows.addWidget(beside(QLabel(tr("label")), value), row, 2)
        rows.setColumnStretch(1, 1)
        buttons = (self.load_button, self.swap_button, self.compare_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(rows)
        column.addWidget(beside(*buttons, stretch=(0, 0, 1)))
        column.addWidget(self.message)
        column.addWidget(self.resample_button)
        column.addWidget(self.cancel_button)

    def _connect(self) -> None:
        layers = self._viewer.layers.events
        for event in (layers.inserted, layers.removed, layers.reordered):
            event.connect(self.refresh)
        layers.inserted.connect(self._watch_name)
        for layer in self._viewer.layers:
            layer.events.name.connect(self.refresh)
        for box in (self.expert_box, self.nonexpert_box):
            box.activated.connect(self._on_choice)
        self.expert_box.currentIndexChanged.connect(self._on_expert)
        self.nonexpert_box.currentIndexChanged.connect(self._on_nonexpert)
        self.load_button.clicked.connect(self.ask_for_file)
        self.swap_button.clicked.connect(self.swap)
        self.compare_button.clicked.connect(self.submit)
        self.resample_button.clicked.connect(self.resample)
        self.cancel_button.clicked.connect(self.cancel)

    def _watch_name(self, event: Any) -> None:
        event.value.events.name.connect(self.refresh)

    @property
    def expert(self) -> Labels | None:
        """The chosen expert's layer."""
        return self.expert_box.currentData()

    @property
    def nonexpert(self) -> Labels | None:
        """The chosen second annotator's layer."""
        return self.nonexpert_box.currentData()

    def refresh(self, event: Any = None) -> None:
        """List the viewer's masks again, keeping what was chosen."""
        masks = candidate_masks(self._viewer)
        expert = nonexpert = None
        if not self._is_guessed:
            expert = self.expert if self.expert in masks else None
            nonexpert = self.nonexpert if self.nonexpert in masks else None
        guess_expert, guess_nonexpert = guess_roles(masks)
        if expert is None:
            expert = guess_expert if guess_expert is not nonexpert else guess_nonexpert
        if nonexpert is None or nonexpert is expert:
            rest = (guess_nonexpert, guess_expert, *masks)
            nonexpert = next((m for m in rest if m is not expert), None)
        for box, layer in ((self.expert_box, expert), (self.nonexpert_box, nonexpert)):
            box.blockSignals(True)
            box.clear()
            for mask in masks:
                box.addItem(mask.name, mask)
            box.setCurrentIndex(masks.index(layer) if layer in masks else -1)
            box.blockSignals(False)
        self._on_expert()
        self._on_nonexpert()
        self.counted.emit()

    def choose(self, expert: Labels, nonexpert: Labels) -> None:
        """Choose both layers."""
        self._is_guessed = False
        for box, layer in ((self.expert_box, expert), (self.nonexpert_box, nonexpert)):
            index = next(i for i in range(box.count()) if box.itemData(i) is layer)
            box.setCurrentIndex(index)

    def swap(self) -> None:
        """Exchange the two roles."""
        expert, nonexpert = self.expert, self.nonexpert
        values = self.expert_value.currentText(), self.nonexpert_value.currentText()
        if expert is None or nonexpert is None:
            return
        self.choose(nonexpert, expert)
        self.expert_value.setCurrentText(values[1])
        self.nonexpert_value.setCurrentText(values[0])
        self.swapped.emit()

    def pair(self) -> Pair:
        """Return what is chosen, checked.

        Raises
        ------
        InputError
            If a mask is missing, both are one, or they do not share a grid.
        """
        expert, nonexpert = self.expert, self.nonexpert
        if expert is None or nonexpert is None:
            raise InputError(
                "Choose two masks. "
                "Load a mask, or add a Labels layer for each annotator."
            )
        if expert is nonexpert:
            raise InputError(
                f"Two different masks must be chosen; got '{expert.name}' twice. "
                "Choose another one.",
                plain=(
                    f"'{expert.name}' is chosen twice. Choose another mask for "
                    "one of the two."
                ),
            )
        problem = layer_grid_problem(nonexpert, expert)
        if problem is not None:
            raise InputError(problem)
        return Pair(
            expert,
            nonexpert,
            _value_of(self.expert_value),
            _value_of(self.nonexpert_value),
        )

    def submit(self) -> None:
        """Emit ``chosen`` with the pair, or say what is wrong with it."""
        self.resample_button.setVisible(False)
        try:
            pair = self.pair()
        except MicroUSError as error:
            self.message.setText(plain_words(error))
            self.resample_button.setVisible(self._can_resample())
            return
        self._is_guessed = False
        self.message.setText(self._notice())
        self.chosen.emit(pair)

    def resample(self) -> None:
        """Make a copy of the second mask on the first one's grid, in a thread."""
        expert, nonexpert = self.expert, self.nonexpert
        if expert is None or nonexpert is None or self._worker is not None:
            return
        try:
            volume = volume_from_layer(nonexpert)
            reference = volume_from_layer(expert)
        except MicroUSError as error:
            self.message.setText(plain_words(error))
            return
        value = _value_of(self.nonexpert_value)
        self._resampled = (expert, nonexpert.name)
        self._start(_resample, volume, value, reference, returned=self._on_resampled)

    def _on_resampled(self, moved: Volume) -> None:
        expert, name = self._resampled
        if expert not in self._viewer.layers:
            self.message.setText(tr("The first mask was removed. Choose another one."))
            return
        layer = self._viewer.add_labels(
            array_for_layer(moved.array, expert),
            name=f"{name} (resampled)",
            metadata=derived_metadata(expert),
            **geometry(expert),
        )
        self.resample_button.setVisible(False)
        self.choose(expert, layer)
        self.submit()

    def ask_for_file(self) -> None:
        """Ask for a mask file and load it."""
        path, _ = QFileDialog.getOpenFileName(self, tr("Load a mask"))
        if path:
            self.load(Path(path))

    def load(self, path: Path) -> None:
        """Load a mask file as a layer, in a thread."""
        if self._worker is None:
            self._start(_read, path, returned=self._on_loaded)
            self.message.setText(tr("Reading {name} …").format(name=path.name))

    def cancel(self) -> None:
        """End the loading or resampling under way; no layer is made then."""
        if self._worker is not None:
            self._worker.quit()

    def close_down(self) -> None:
        """Let go of work in progress: the dock is going away."""
        if self._worker is not None:
            self._worker.forget()
            self._worker = None

    def _start(
        self, work: Callable[..., Any], *args: Any, returned: Callable[[Any], None]
    ) -> None:
        for button in self._starters:
            button.setEnabled(False)
        self._worker = start_worker(
            work,
            *args,
            yielded=self._on_progress,
            returned=returned,
            errored=self._on_error,
            aborted=self._on_aborted,
            finished=self._on_finished,
        )

    def _on_progress(self, event: Event) -> None:
        done, total = getattr(event, "done", 0), getattr(event, "total", 0)
        if total > 1:
            self.cancel_button.setVisible(True)
            said = getattr(event, "message", "")
            self.message.setText(f"{said} … frame {done} of {total}")

    def _on_aborted(self) -> None:
        self.message.setText(tr("Cancelled. Nothing was changed."))

    def _on_loaded(self, volume: Volume) -> None:
        self.message.clear()
        name = stem_of(Path(str(volume.metadata["source"])))
        known = [layer for layer in self._viewer.layers if layer.ndim == 2]
        arguments = layer_arguments(volume)
        array: Any = volume.array
        flat = known and not any(layer.ndim > 2 for layer in self._viewer.layers)
        if len(array) == 1 and flat:
            array = array[0]
            for key in ("scale", "units", "axis_labels"):
                arguments[key] = arguments[key][1:]
        layer = self._viewer.add_labels(array, name=name, **arguments)
        if self.expert is layer or self.nonexpert is layer:
            return
        # A third mask: the one that was asked for is compared.
        self._is_guessed = False
        boxed = [
            self.nonexpert_box.itemData(row)
            for row in range(self.nonexpert_box.count())
        ]
        self.nonexpert_box.setCurrentIndex(
            next(row for row, other in enumerate(boxed) if other is layer)
        )

    def _on_error(self, error: Exception) -> None:
        self.message.setText(plain_words(error))

    def _on_finished(self) -> None:
        self._worker = None
        self.cancel_button.setVisible(False)
        for button in self._starters:
            button.setEnabled(True)

    def _on_choice(self, index: int) -> None:
        self._is_guessed = False

    def _on_expert(self, index: int = 0) -> None:
        _fill_values(self.expert_value, self.expert)
        _show_where_several(self.expert_value, self.expert)

    def _on_nonexpert(self, index: int = 0) -> None:
        _fill_values(self.nonexpert_value, self.nonexpert)
        _show_where_several(self.nonexpert_value, self.nonexpert)

    def _notice(self) -> str:
        several = [
            f"'{layer.name}' holds labels {_texts(box)}; {box.currentText()} is "
            "compared. Choose another under 'label'."
            for layer, box in (
                (self.expert, self.expert_value),
                (self.nonexpert, self.nonexpert_value),
            )
            if layer is not None and box.count() > 1
        ]
        return " ".join(several)

    def _can_resample(self) -> bool:
        expert, nonexpert = self.expert, self.nonexpert
        if expert is None or nonexpert is None or expert is nonexpert:
            return False
        return expert.ndim == nonexpert.ndim and expert.ndim in (2, 3)


def _read(path: Path) -> Generator[Event, None, Volume]:
    from napari_microus.core.io import read_labels
    from napari_microus.core.mask import as_mask

    yield from ()
    volume = read_labels(path)
    array = volume.array
    if array.dtype.kind == "f" or array.dtype == np.bool_:
        array = as_mask(array, name=path.name)
    elif array.dtype != np.uint8 and array.min() >= 0 and array.max() <= 255:
        array = array.astype(np.uint8)
    if not array.flags.writeable:  # pictures; nobody could paint in it
        array = array.copy()
    return volume.like(array, source=str(path))


def _resample(
    volume: Volume, value: int, reference: Volume
) -> Generator[Event, None, Volume]:
    one = volume.like(_one_label(volume.array, value))
    return (yield from resample_frames(one, reference))


def _one_label(array: np.ndarray[Any, Any], value: int) -> np.ndarray[Any, Any]:
    one = (array == value).astype(np.uint8)
    if value != IGNORE_VALUE:
        one[array == IGNORE_VALUE] = IGNORE_VALUE
    return one


def _fill_values(box: QComboBox, layer: Labels | None) -> None:
    values = [1]
    if layer is not None and layer.ndim in (2, 3) and not layer.multiscale:
        array = layer.data
        thinned = array[..., ::4, ::4] if array.size > _QUICK_PIXELS else array
        values = label_values(np.asarray(thinned)) or [1]
    labels = [value for value in values if value != IGNORE_VALUE] or values
    before = box.currentText()
    box.clear()
    box.addItems([str(value) for value in labels])
    box.setCurrentText(before if before in map(str, labels) else str(labels[0]))
    box.setEnabled(layer is not None)


def _show_where_several(box: QComboBox, layer: Labels | None) -> None:
    """Show the choice of a label only where there is one: a name needs the room.

    A large mask may hold labels that were not found.
    """
    is_large = layer is not None and math.prod(layer.data.shape) > _QUICK_PIXELS
    box.parentWidget().setVisible(box.count() > 1 or is_large)


def _value_of(box: QComboBox) -> int:
    text = box.currentText().strip()
    return int(text) if text else 1


def _texts(box: QComboBox) -> str:
    return ", ".join(box.itemText(index) for index in range(min(box.count(), 8)))


def _value_box() -> QComboBox:
    box = QComboBox()
    box.setEditable(True)
    box.setValidator(QIntValidator(1, 2**31 - 1, box))
    box.setToolTip(tr("The label in this layer that is compared."))
    box.setFixedWidth(56)  # a name beside it needs the room more
    return box
