"""The tab of what can be made from several masks: consensus, checks, a report."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QGroupBox,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_microus.core.colors import EXPERT, HARD_REGION, NONEXPERT
from napari_microus.core.compare.agreement import fleiss_kappa
from napari_microus.core.compare.consensus import Consensus, consensus, why_not
from napari_microus.core.compare.difficulty import difficulty, rank_correlation
from napari_microus.core.compare.masks import as_mask
from napari_microus.core.compare.three_way import THREE_WAY_NAMES, ThreeWay, three_way
from napari_microus.core.errors import InputError, MicroUSError
from napari_microus.widgets._compare_pair import (
    ROLE,
    candidate_masks,
    layer_grid_problem,
)
from napari_microus.widgets._compare_parts import number, text
from napari_microus.widgets._layers import (
    array_for_layer,
    derived_metadata,
    geometry,
    volume_from_layer,
)
from napari_microus.widgets._worker import start_worker

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from napari_microus.core.events import Event
    from napari_microus.core.volume import Volume
    from napari_microus.widgets._compare_live import LiveComparison
    from napari_microus.widgets._worker import Worker

_METHODS = {
    "Union": Consensus.union,
    "Intersection": Consensus.intersection,
    "Majority": Consensus.majority,
    "Mean distance (shape)": Consensus.mean_distance,
    "STAPLE": Consensus.staple,
}
_THREE_WAY_COLORS: dict[int | None, str] = {
    1: EXPERT,
    2: NONEXPERT,
    3: "#f0e442",
    4: "#d55e00",
    5: HARD_REGION,
}


class ToolsTab(QWidget):
    """Consensus, three-way check, predicted difficulty, trainee report, blind mode.

    ``blind_asked(hide)`` asks for blind work, ``submitted()`` shows the hidden mask
    and ``unblinded()`` ends it.

    Parameters
    ----------
    viewer : ViewerModel
        Where masks come from and layers go.
    """

    blind_asked = Signal(bool)
    submitted = Signal()
    unblinded = Signal()

    def __init__(self, viewer: ViewerModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._comparison: LiveComparison | None = None
        self._worker: Worker | None = None
        self._done: Callable[[Any], None] | None = None
        self._source: Any = None
        column = QVBoxLayout(self)
        for box in (
            self._make_consensus(),
            self._make_model(),
            self._make_blind(),
            self._make_report(),
        ):
            column.addWidget(box)
        column.addStretch()
        layers = viewer.layers.events
        for event in (layers.inserted, layers.removed, layers.reordered):
            event.connect(self.refresh)
        layers.inserted.connect(self._watch_name)
        for layer in viewer.layers:
            layer.events.name.connect(self.refresh)
        self.refresh()

    # --- making

    def _make_consensus(self) -> QGroupBox:
        box = QGroupBox("Consensus of annotators")
        self.masks = QListWidget()
        self.masks.setToolTip("Tick every annotator that takes part.")
        self.masks.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.masks.setMaximumHeight(110)
        self.method_box = QComboBox()
        self.method_box.addItems(list(_METHODS))
        self.consensus_button = QPushButton("Make consensus layer")
        self.kappa_button = QPushButton("Fleiss' kappa")
        self.kappa_button.setToolTip(
            "Agreement of all ticked annotators beyond chance."
        )
        self.consensus_text = text()
        column = QVBoxLayout(box)
        for widget in (
            self.masks,
            self.method_box,
            self.consensus_button,
            self.kappa_button,
            self.consensus_text,
        ):
            column.addWidget(widget)
        self.masks.itemChanged.connect(self._offer_methods)
        self.method_box.currentIndexChanged.connect(self._offer_methods)
        self.consensus_button.clicked.connect(self.make_consensus)
        self.kappa_button.clicked.connect(self.show_kappa)
        return box

    def _make_model(self) -> QGroupBox:
        box = QGroupBox("Against a model")
        self.model_box = _layer_box("The model's mask, such as 'capsule'.")
        self.probability_box = _layer_box(
            "The model's probability, to tell where it was sure. May stay empty."
        )
        self.tolerance = QDoubleSpinBox()
        self.tolerance.setRange(0.05, 50)
        self.tolerance.setValue(1)
        self.tolerance.setToolTip(
            "Contours further apart than this count as different (mm, or pixels)."
        )
        self.three_way_button = QPushButton("Compare the model with both")
        self.scan_box = _layer_box("The scan to predict difficulty for.")
        self.difficulty_button = QPushButton("Predict difficulty")
        self.difficulty_button.setToolTip(
            "Segment changed copies of the scan; bright is where the model wavers."
        )
        self.model_text = text()
        form = QFormLayout(box)
        form.addRow("Model", self.model_box)
        form.addRow("Probability", self.probability_box)
        form.addRow("Tolerance", self.tolerance)
        form.addRow(self.three_way_button)
        form.addRow("Scan", self.scan_box)
        form.addRow(self.difficulty_button)
        form.addRow(self.model_text)
        self.three_way_button.clicked.connect(self.compare_model)
        self.difficulty_button.clicked.connect(self.predict_difficulty)
        return box

    def _make_blind(self) -> QGroupBox:
        box = QGroupBox("Blind work")
        self.hide_other = QCheckBox("Hide the expert's mask until I submit mine")
        self.blind_button = QPushButton("Begin blind work")
        self.blind_button.setToolTip(
            "Names, colours and order are shuffled, and shown again when you save."
        )
        self.submit_button = QPushButton("Submit my mask")
        self.unblind_button = QPushButton("Show who is who")
        self.submit_button.setEnabled(False)
        self.unblind_button.setEnabled(False)
        column = QVBoxLayout(box)
        for widget in (
            self.hide_other,
            self.blind_button,
            self.submit_button,
            self.unblind_button,
        ):
            column.addWidget(widget)
        self.blind_button.clicked.connect(self._ask_for_blind)
        self.submit_button.clicked.connect(self.submitted)
        self.unblind_button.clicked.connect(self.unblinded)
        return box

    def _make_report(self) -> QGroupBox:
        box = QGroupBox("Trainee report")
        self.report_button = QPushButton("Report over folders…")
        self.report_button.setToolTip(
            "One annotator against a reference over many cases: bias, worst frames, "
            "trend. Files pair by the number that ends their names."
        )
        self.report_text = text()
        column = QVBoxLayout(box)
        column.addWidget(self.report_button)
        column.addWidget(self.report_text)
        self.report_button.clicked.connect(self._ask_for_report)
        return box

    # --- state

    def set_comparison(self, comparison: LiveComparison | None) -> None:
        """Use another comparison, or none."""
        self._comparison = comparison
        self.three_way_button.setEnabled(comparison is not None)
        self.blind_button.setEnabled(comparison is not None)
        if comparison is not None:
            self._tick(comparison.pair.expert, comparison.pair.nonexpert)

    def show_blind(self, is_blind: bool, is_hidden: bool) -> None:
        """Offer what can be done now."""
        self.blind_button.setEnabled(not is_blind and self._comparison is not None)
        self.submit_button.setEnabled(is_hidden)
        self.unblind_button.setEnabled(is_blind and not is_hidden)

    def refresh(self, event: Any = None) -> None:
        """List the viewer's layers again."""
        ticked = {id(layer) for layer in self.chosen_masks()}
        self.masks.blockSignals(True)
        self.masks.clear()
        for layer in candidate_masks(self._viewer):
            item = QListWidgetItem(layer.name)
            item.setData(Qt.ItemDataRole.UserRole, layer)
            item.setFlags(Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsEnabled)
            on = id(layer) in ticked
            item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
            self.masks.addItem(item)
        self.masks.blockSignals(False)
        images = [layer for layer in self._viewer.layers if type(layer) is Image]
        scans = [layer for layer in images if ROLE not in _own(layer)]
        _refill(self.model_box, candidate_masks(self._viewer), guess="capsule")
        _refill(self.probability_box, [None, *scans], guess="probability")
        _refill(self.scan_box, scans, guess="scan")
        self._offer_methods()

    def _watch_name(self, event: Any) -> None:
        event.value.events.name.connect(self.refresh)

    def chosen_masks(self) -> list[Labels]:
        """Return the layers that are ticked."""
        items = (self.masks.item(row) for row in range(self.masks.count()))
        return [
            item.data(Qt.ItemDataRole.UserRole)
            for item in items
            if item.checkState() == Qt.CheckState.Checked
        ]

    def close_down(self) -> None:
        """Let go of work in progress: the dock is going away."""
        if self._worker is not None:
            self._worker.forget()
            self._worker = None

    # --- consensus

    def make_consensus(self) -> None:
        """Add the consensus of the ticked masks as a new layer."""
        layers = self.chosen_masks()
        method = _METHODS[self.method_box.currentText()]
        try:
            masks = self._arrays(layers)
        except MicroUSError as error:
            self.consensus_text.setText(str(error))
            return
        self._source = (layers[0], f"consensus ({method})")
        spacing = volume_from_layer(layers[0]).spacing_mm
        self._run(
            self.consensus_text,
            functools.partial(consensus, masks, method, spacing),
            self._add_consensus,
        )

    def _add_consensus(self, fused: NDArray[np.uint8]) -> None:
        source, name = self._source
        self._viewer.add_labels(
            array_for_layer(fused, source),
            name=name,
            metadata=derived_metadata(source),
            **geometry(source),
        )
        self.consensus_text.setText(f"Added '{name}'.")

    def show_kappa(self) -> None:
        """Compute Fleiss' kappa of the ticked masks."""
        try:
            masks = self._arrays(self.chosen_masks())
        except MicroUSError as error:
            self.consensus_text.setText(str(error))
            return

        def work() -> Generator[Event, None, float]:
            yield from ()
            return fleiss_kappa(masks)

        self._run(self.consensus_text, work, self._show_kappa)

    def _show_kappa(self, kappa: float) -> None:
        count = len(self.chosen_masks())
        self.consensus_text.setText(
            f"Fleiss' kappa of {count} annotators: {number(kappa, 3)}"
        )

    def _arrays(self, layers: list[Labels]) -> list[NDArray[np.uint8]]:
        if len(layers) < 2:
            raise InputError(
                f"Two or more masks must be ticked; got {len(layers)}. Tick another."
            )
        for layer in layers[1:]:
            problem = layer_grid_problem(layer, layers[0])
            if problem is not None:
                raise InputError(f"'{layer.name}': {problem}")
        return [_mask_of(layer, self._value_of(layer)) for layer in layers]

    def _value_of(self, layer: Labels) -> int | None:
        """Return the label that is compared, where this layer is compared."""
        if self._comparison is None:
            return None
        pair = self._comparison.pair
        values = {id(pair.expert): pair.expert_value}
        values[id(pair.nonexpert)] = pair.nonexpert_value
        return values.get(id(layer))

    def _offer_methods(self, _: Any = None) -> None:
        count = len(self.chosen_masks())
        for row, (name, method) in enumerate(_METHODS.items()):
            reason = why_not(method, count)
            item = self.method_box.model().item(row)
            item.setEnabled(reason is None)
            item.setToolTip(reason or "")
            item.setText(name if reason is None or count < 2 else f"{name} (3 or more)")
        method = _METHODS[list(_METHODS)[self.method_box.currentIndex()]]
        reason = why_not(method, count)
        self.consensus_button.setEnabled(reason is None)
        self.kappa_button.setEnabled(count >= 2)
        few = why_not(Consensus.staple, count) if count == 2 else None
        self.consensus_text.setText(reason or few or "")

    def _tick(self, *layers: Labels) -> None:
        for row in range(self.masks.count()):
            item = self.masks.item(row)
            if item.data(Qt.ItemDataRole.UserRole) in layers:
                item.setCheckState(Qt.CheckState.Checked)

    # --- model

    def compare_model(self) -> None:
        """Show with whom the model sides."""
        comparison, model = self._comparison, self.model_box.currentData()
        if comparison is None or model is None:
            self.model_text.setText("Compare two masks and choose the model's mask.")
            return
        pair = comparison.pair
        problem = layer_grid_problem(model, pair.expert)
        if problem is not None:
            self.model_text.setText(problem)
            return
        if model in (pair.expert, pair.nonexpert):
            self.model_text.setText(
                f"The model's mask must be a third one; got '{model.name}'. "
                "Segment the scan first, or choose another layer."
            )
            return
        probability = self.probability_box.currentData()
        sure = None
        if probability is not None and probability.data.shape == model.data.shape:
            sure = volume_from_layer(probability).array
        try:
            of_model = _mask_of(model, None)
            expert = _mask_of(pair.expert, pair.expert_value)
            nonexpert = _mask_of(pair.nonexpert, pair.nonexpert_value)
        except MicroUSError as error:
            self.model_text.setText(str(error))
            return
        self._source = pair.expert
        self._run(
            self.model_text,
            functools.partial(
                three_way,
                of_model,
                expert,
                nonexpert,
                comparison.grid.spacing_mm,
                probability=sure,
                tolerance_mm=self.tolerance.value(),
            ),
            self._add_three_way,
        )

    def _add_three_way(self, found: ThreeWay) -> None:
        source = self._source
        layer = self._viewer.add_labels(
            array_for_layer(found.codes, source),
            name="model against both",
            opacity=0.7,
            colormap=_THREE_WAY_COLORS | {None: "transparent"},
            metadata=derived_metadata(source, **{ROLE: "three-way"}),
            **geometry(source),
        )
        layer.editable = False
        total = found.per_frame.sum(axis=0)
        lines = [
            f'<span style="color:{_THREE_WAY_COLORS[code]}">■</span> {name}: '
            f"{int(total[code]):,} px"
            for code, name in THREE_WAY_NAMES.items()
        ]
        share = number(100 * found.nonexpert_share, 0)
        lines.append(f"Where the two differ the model is non-expert in {share} %.")
        self.model_text.setText("<br>".join(lines))

    def predict_difficulty(self) -> None:
        """Add the entropy of a model over changed copies of the scan."""
        scan = self.scan_box.currentData()
        if scan is None:
            self.model_text.setText("Choose the scan first.")
            return
        try:
            volume = volume_from_layer(scan)
        except MicroUSError as error:
            self.model_text.setText(str(error))
            return
        self._source = scan
        codes = None
        if self._comparison is not None:
            stack = _stack(self._comparison.live.codes)
            codes = stack.copy() if stack.shape == volume.shape else None
        self._run(
            self.model_text,
            functools.partial(_difficulty, volume, codes),
            self._add_difficulty,
        )

    def _add_difficulty(self, result: tuple[NDArray[np.float32], str]) -> None:
        entropy, said = result
        source = self._source
        self._viewer.add_image(
            array_for_layer(entropy, source),
            name="predicted difficulty",
            colormap="inferno",
            blending="additive",
            opacity=0.7,
            contrast_limits=(0, 1),
            metadata=derived_metadata(source, **{ROLE: "difficulty"}),
            **geometry(source),
        )
        self.model_text.setText(said)

    # --- report

    def report(self, reference: Path, trainee: Path, page: Path) -> None:
        """Write a trainee's report in a thread."""
        self._source = page
        self._run(
            self.report_text,
            functools.partial(_report, reference, trainee, page),
            self._on_report,
        )

    def _on_report(self, notices: list[str]) -> None:
        said = [f"Wrote {self._source}.", *notices[:5]]
        if len(notices) > 5:
            said.append(f"… and {len(notices) - 5} more files without a partner.")
        self.report_text.setText("\n".join(said))

    def _ask_for_report(self) -> None:
        ask = QFileDialog.getExistingDirectory
        reference = ask(self, "Folder of the reference's masks")
        trainee = reference and ask(self, "Folder of the trainee's masks")
        if not trainee:
            return
        page, _ = QFileDialog.getSaveFileName(
            self, "Save the report", "report.html", "Web page (*.html)"
        )
        if page:
            self.report(Path(reference), Path(trainee), Path(page))

    def _ask_for_blind(self) -> None:
        self.blind_asked.emit(self.hide_other.isChecked())

    # --- work

    def _run(
        self,
        message: Any,
        work: Callable[[], Generator[Event, None, Any]],
        done: Callable[[Any], None],
    ) -> None:
        if self._worker is not None:
            message.setText("Something else is being computed. Wait for it to end.")
            return
        self._done, self._message = done, message
        message.setText("Working …")
        self._worker = start_worker(
            work,
            yielded=self._on_progress,
            returned=self._on_done,
            errored=self._on_error,
            finished=self._on_finished,
        )

    def _on_progress(self, event: Event) -> None:
        done, total = getattr(event, "done", 0), getattr(event, "total", 0)
        if total:
            said = getattr(event, "message", "") or "Working"
            self._message.setText(f"{said} … {done} of {total}")

    def _on_done(self, result: Any) -> None:
        assert self._done is not None  # set with the worker
        self._done(result)

    def _on_error(self, error: Exception) -> None:
        self._message.setText(str(error))

    def _on_finished(self) -> None:
        self._worker = None


def _difficulty(
    volume: Volume, codes: NDArray[np.uint8] | None
) -> Generator[Event, None, tuple[NDArray[np.float32], str]]:
    from napari_microus.core import library
    from napari_microus.core.predict import predict

    known = library.list_models()
    if not known:
        raise InputError(
            "There must be a model to predict with; got an empty library. "
            "Train one, or import one."
        )
    model = library.load_model(known[0].name)

    def predictor(scan: Volume) -> Generator[Event, None, Any]:
        return predict(model, scan, largest_component=False, fill_holes=False)

    entropy = yield from difficulty(predictor, volume)
    said = f"Predicted with the model '{known[0].name}'. Bright: it wavers."
    if codes is not None:
        found = rank_correlation(entropy, codes)
        said += (
            " Rank correlation with the real difference: "
            f"{number(found.per_pixel)} over pixels, {number(found.per_frame)} over "
            "frames."
        )
    return entropy, said


def _report(
    reference: Path, trainee: Path, page: Path
) -> Generator[Event, None, list[str]]:
    from napari_microus.core.compare.trainee import compare_trainee
    from napari_microus.core.compare.trainee_page import write_trainee_page
    from napari_microus.core.events import Notice

    work = compare_trainee(reference, trainee)
    notices = []
    while True:
        try:
            event = next(work)
        except StopIteration as stop:
            cases = stop.value
            break
        if isinstance(event, Notice):
            notices.append(event.message)
        yield event
    # The file dialog has asked before it named an existing file.
    write_trainee_page(cases, page, trainee=trainee.name, overwrite=True)
    return notices


def _mask_of(layer: Labels, value: int | None) -> NDArray[np.uint8]:
    return _stack(as_mask(np.asarray(layer.data), value, name=f"'{layer.name}'"))


def _stack(array: NDArray[Any]) -> NDArray[Any]:
    return array[None] if array.ndim == 2 else array


def _own(layer: Any) -> dict[str, Any]:
    return dict(layer.metadata.get("napari_microus", {}))


def _layer_box(tip: str) -> QComboBox:
    box = QComboBox()
    box.setToolTip(tip)
    box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return box


def _refill(box: QComboBox, layers: list[Any], guess: str) -> None:
    before = box.currentData()
    box.clear()
    for layer in layers:
        box.addItem(layer.name if layer is not None else "none", layer)
    if before is not None and any(layer is before for layer in layers):
        index = next(i for i, layer in enumerate(layers) if layer is before)
    else:
        names = [layer.name.lower() if layer is not None else "" for layer in layers]
        index = next((i for i, name in enumerate(names) if guess in name), 0)
    box.setCurrentIndex(index)
