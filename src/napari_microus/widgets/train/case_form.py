"""Which open layers become a case, of whom, and under which name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Labels
from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QGroupBox,
    QLineEdit,
)

from napari_microus.widgets._shared.boxes import combo
from napari_microus.widgets._shared.controls import push_button
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets.train.cases import LayerData, free_patient

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from qtpy.QtWidgets import QWidget

    from napari_microus.core.study import Study, StudyCase

_NONE, _LATER = tr("none"), tr("none yet: annotate later")
_ADD = tr("Add open layers as a case")
_ANNOTATE = tr("Save the annotation of this case")


class CaseForm(QGroupBox):
    """Scan, annotations, patient and name of a case to be.

    Parameters
    ----------
    viewer : ViewerModel
        Its layers are listed.
    """

    add_wanted = Signal()

    def __init__(self, viewer: ViewerModel, parent: QWidget | None = None) -> None:
        super().__init__(tr("Open layers"), parent)
        self._viewer = viewer
        self._study: Study | None = None
        self._is_ready = False
        self.image_box = combo(tr("The scan."))
        self.expert_box = combo(
            tr(
                "The annotation to learn from. A scan without one waits to be "
                "annotated."
            )
        )
        self.nonexpert_box = combo(
            tr(
                "A second, less certain annotation of the same scan, if there is "
                "one. Where the two differ the loss looks harder."
            )
        )
        self.pixel_box = QDoubleSpinBox()
        self.pixel_box.setRange(0, 10)
        self.pixel_box.setDecimals(5)
        self.pixel_box.setSingleStep(0.01)
        self.pixel_box.setSuffix(" mm")
        self.pixel_box.setSpecialValueText(tr("not known"))
        self.pixel_box.setToolTip(
            tr(
                "Height and width of a pixel, where the scan's file has none. "
                "Without it distances are in pixels."
            )
        )
        self.case_edit = QLineEdit()
        self.case_edit.setToolTip(tr("Name of the scan: letters, digits and _ . -"))
        self.patient_edit = QLineEdit()
        self.patient_edit.setToolTip(
            tr(
                "Pseudonym of the patient. All scans of one patient must have "
                "the same one: they stay together when the study is split."
            )
        )
        self.add_button = push_button(
            _ADD, tr("Writes scan and annotations into the study, in their geometry.")
        )
        self._lay_out()
        self.add_button.clicked.connect(self.add_wanted)
        self.image_box.currentIndexChanged.connect(self.suggest)
        self.case_edit.textChanged.connect(self._on_case)
        layers = viewer.layers.events
        for event in (layers.inserted, layers.removed, layers.reordered):
            event.connect(self.refresh)
        self.refresh()

    def _lay_out(self) -> None:
        rows = self._rows = QFormLayout(self)
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        rows.addRow(tr("Image"), self.image_box)
        rows.addRow(tr("Expert"), self.expert_box)
        rows.addRow(tr("Non-expert"), self.nonexpert_box)
        rows.addRow(tr("Pixel size"), self.pixel_box)
        rows.addRow(tr("Patient"), self.patient_edit)
        rows.addRow(tr("Case"), self.case_edit)
        rows.addRow(self.add_button)

    # --- what is chosen

    @property
    def image(self) -> Image | None:
        """The scan's layer."""
        layer: Image | None = self.image_box.currentData()
        return layer

    @property
    def expert(self) -> Labels | None:
        """The chosen layer to learn from."""
        layer: Labels | None = self.expert_box.currentData()
        return layer

    @property
    def nonexpert(self) -> Labels | None:
        """The layer of the second annotator."""
        layer: Labels | None = self.nonexpert_box.currentData()
        return layer

    @property
    def pixel_mm(self) -> float:
        """The stated pixel size in mm; 0 where none is stated or the scan states it."""
        is_asked = self._rows.isRowVisible(self.pixel_box)
        return float(self.pixel_box.value()) if is_asked else 0.0

    @property
    def case(self) -> str:
        """Name of the case."""
        return self.case_edit.text().strip()

    @property
    def patient(self) -> str:
        """Pseudonym of the patient."""
        return self.patient_edit.text().strip()

    @property
    def waiting(self) -> StudyCase | None:
        """The case of that name, where it has no annotation yet."""
        cases = [] if self._study is None else self._study.cases
        return next((c for c in cases if c.case == self.case and not c.expert), None)

    # --- what is offered

    def show_study(self, study: Study | None, *, is_ready: bool) -> None:
        """Offer to add to a study, once nothing else is being done to it."""
        self._study = study
        self._is_ready = study is not None and is_ready
        self.add_button.setEnabled(self._is_ready and self.image is not None)
        self._on_case()
        if study is not None and not self.patient:
            self.patient_edit.setText(free_patient(study))

    def refresh(self, event: Any = None) -> None:
        """List the viewer's layers again and keep the choices."""
        layers = list(self._viewer.layers)
        images = [layer for layer in layers if isinstance(layer, Image)]
        masks = [layer for layer in layers if isinstance(layer, Labels)]
        _refill(self.image_box, images, None)
        guess = _guess(masks, is_expert=True)
        _refill(self.expert_box, masks, guess, none=_LATER)
        for layer in images + masks:
            layer.events.name.disconnect(self._rename)
            layer.events.name.connect(self._rename)
        guess = _guess([m for m in masks if m is not self.expert], is_expert=False)
        _refill(self.nonexpert_box, masks, guess, none=_NONE)
        self.add_button.setEnabled(self._is_ready and bool(images))
        self.suggest()

    def _rename(self) -> None:
        for box in (self.image_box, self.expert_box, self.nonexpert_box):
            for index in range(box.count()):
                if (layer := box.itemData(index)) is not None:
                    box.setItemText(index, layer.name)

    def suggest(self, *_: object) -> None:
        """Name the case after its layer; one that waits to be annotated keeps it."""
        image = self.image
        is_sized = image is None or LayerData.of(image).states_size()
        self._rows.setRowVisible(self.pixel_box, not is_sized)
        if image is None:
            return
        name = re.sub(r"[^\w.-]+", "-", image.name).strip("-.") or "case"
        cases = [] if self._study is None else self._study.cases
        taken = {case.case for case in cases if case.expert}
        number, free = 2, name
        while free in taken:
            free, number = f"{name}-{number}", number + 1
        self.case_edit.setText(free)

    def choose(self, image: Image, expert: Labels) -> None:
        """Choose the layers of a case that is about to be annotated."""
        for box, layer in ((self.image_box, image), (self.expert_box, expert)):
            box.setCurrentIndex(_index(box, layer))
        self.nonexpert_box.setCurrentIndex(0)
        self.suggest()

    def _on_case(self, *_: object) -> None:
        waiting = self.waiting
        self.add_button.setText(_ADD if waiting is None else _ANNOTATE)
        self.patient_edit.setEnabled(waiting is None)
        if waiting is not None:
            self.patient_edit.setText(waiting.patient)


def _guess(masks: list[Labels], *, is_expert: bool) -> Labels | None:
    """Return the layer whose name says that it is the one."""
    for mask in masks:
        name = mask.name.lower()
        says_non = "non" in name or "novice" in name or "student" in name
        if "expert" in name and says_non is not is_expert:
            return mask
        if not is_expert and says_non:
            return mask
    return masks[0] if masks and is_expert else None


def _refill(
    box: QComboBox, layers: list[Any], guess: Any, *, none: str | None = None
) -> None:
    chosen = box.currentData()
    chosen = chosen if chosen in layers else guess
    box.blockSignals(True)
    box.clear()
    if none is not None:
        box.addItem(none, None)
    for layer in layers:
        box.addItem(layer.name, layer)
    default = box.count() - 1 if none is None else 0
    index = default if chosen is None else _index(box, chosen)
    box.setCurrentIndex(index)
    box.blockSignals(False)


def _index(box: QComboBox, layer: Any) -> int:
    return next(i for i in range(box.count()) if box.itemData(i) is layer)
