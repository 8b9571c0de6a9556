"""Compare a model's mask with both annotators, and predict difficulty."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from napari.layers import Image
from qtpy.QtWidgets import QDoubleSpinBox, QFormLayout, QSizePolicy

from napari_microus.core import library
from napari_microus.core.colors import (
    ALONE,
    CONFIDENTLY_ALONE,
    EXPERT,
    HARD_REGION,
    NONEXPERT,
)
from napari_microus.core.compare.difficulty import difficulty, rank_correlation
from napari_microus.core.compare.three_way import THREE_WAY_NAMES, ThreeWay, three_way
from napari_microus.core.errors import MicroUSError, plain_words
from napari_microus.widgets._shared.boxes import combo
from napari_microus.widgets._shared.controls import number, push_button
from napari_microus.widgets._shared.fresh_combo import FreshComboBox
from napari_microus.widgets._shared.layers import (
    ROLE,
    array_for_layer,
    derived_metadata,
    geometry,
    is_annotation,
    volume_from_layer,
)
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets.compare.pair import (
    candidate_masks,
    layer_grid_problem,
)
from napari_microus.widgets.compare.toolbox import (
    ToolBox,
    mask_of,
    refill,
    stack,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    import numpy as np
    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from napari_microus.core.events import Event
    from napari_microus.core.volume import Volume
    from napari_microus.widgets.compare.live import LiveComparison

_THREE_WAY_COLORS: dict[int | None, str] = {
    1: EXPERT,
    2: NONEXPERT,
    3: ALONE,
    4: CONFIDENTLY_ALONE,
    5: HARD_REGION,
}


class ModelBox(ToolBox):
    """The model's mask against both, and where it is uncertain, as a layer."""

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__(tr("Against a model"), viewer)
        self._source: Any = None
        self.model_box = combo(tr("The model's mask, such as 'capsule'."))
        self.probability_box = combo(
            tr("The model's probability, to show where it was sure. May stay empty.")
        )
        self.tolerance = QDoubleSpinBox()
        self.tolerance.setRange(0.05, 50)
        self.tolerance.setValue(1)
        self.tolerance.setToolTip(
            tr("Contours further apart than this count as different (mm, or pixels).")
        )
        self.three_way_button = push_button(
            tr("Compare the model with both"),
            tr("Segment with the model, and show how far it is from each annotator."),
        )
        self.scan_box = combo(tr("The scan to predict difficulty for."))
        self.network_box = FreshComboBox()
        self.network_box.setToolTip(
            tr("The trained network whose uncertainty is shown.")
        )
        self.network_box.setSizePolicy(
            QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed
        )
        self.difficulty_button = push_button(
            tr("Predict difficulty"),
            tr(
                "Segment changed copies of the scan; bright is where the model "
                "is uncertain."
            ),
        )
        form = QFormLayout(self)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        form.addRow(tr("Model"), self.model_box)
        form.addRow(tr("Probability"), self.probability_box)
        form.addRow(tr("Tolerance"), self.tolerance)
        form.addRow(self.three_way_button)
        form.addRow(tr("Scan"), self.scan_box)
        form.addRow(tr("Network"), self.network_box)
        form.addRow(self.difficulty_button)
        form.addRow(self.message)
        form.addRow(self.cancel_button)
        self.three_way_button.clicked.connect(self.compare_model)
        self.difficulty_button.clicked.connect(self.predict_difficulty)
        self.network_box.opening.connect(self.refresh_networks)
        self.refresh_networks()

    def set_comparison(self, comparison: LiveComparison | None) -> None:
        """Compare the model with another pair, or with none."""
        super().set_comparison(comparison)
        self.three_way_button.setEnabled(comparison is not None)

    def refresh(self, event: Any = None) -> None:
        """List the viewer's masks and images again."""
        images = [layer for layer in self._viewer.layers if type(layer) is Image]
        scans = [layer for layer in images if is_annotation(layer)]
        refill(self.model_box, candidate_masks(self._viewer), guess="capsule")
        refill(self.probability_box, [None, *scans], guess="probability")
        refill(self.scan_box, scans, guess="scan")

    def refresh_networks(self) -> None:
        """List the models of the library again."""
        chosen = self.network_box.currentText()
        names = [model.name for model in library.list_models() if not model.problem]
        self.network_box.clear()
        self.network_box.addItems(names)
        self.network_box.setCurrentIndex(names.index(chosen) if chosen in names else 0)

    def compare_model(self) -> None:
        """Show with whom the model sides."""
        comparison, model = self._comparison, self.model_box.currentData()
        if comparison is None or model is None:
            self.message.setText(tr("Compare two masks and choose the model's mask."))
            return
        pair = comparison.pair
        problem = layer_grid_problem(model, pair.expert)
        if problem is not None:
            self.message.setText(problem)
            return
        if model in (pair.expert, pair.nonexpert):
            self.message.setText(
                f"'{model.name}' is one of the two that are compared. "
                "Segment the scan first, or choose another layer."
            )
            return
        probability = self.probability_box.currentData()
        sure = None
        if probability is not None and probability.data.shape == model.data.shape:
            sure = volume_from_layer(probability).array
        try:
            of_model = mask_of(model, None)
            expert = mask_of(pair.expert, pair.expert_value)
            nonexpert = mask_of(pair.nonexpert, pair.nonexpert_value)
        except MicroUSError as error:
            self.message.setText(plain_words(error))
            return
        self._source = pair.expert
        self._run(
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
        lines.append(
            "Where they differ, the model agrees with the non-expert in "
            f"{share} % of pixels."
        )
        self.message.setText("<br>".join(lines))

    def predict_difficulty(self) -> None:
        """Add the entropy of a model over changed copies of the scan."""
        scan = self.scan_box.currentData()
        if scan is None:
            self.message.setText(tr("Choose the scan first."))
            return
        network = self.network_box.currentText()
        if not network:
            self.message.setText(tr("There is no model yet. Train one, or import one."))
            return
        try:
            volume = volume_from_layer(scan)
        except MicroUSError as error:
            self.message.setText(plain_words(error))
            return
        self._source = scan
        codes = None
        if self._comparison is not None:
            shown = stack(self._comparison.live.codes)
            codes = shown.copy() if shown.shape == volume.shape else None
        self._run(
            functools.partial(_difficulty, network, volume, codes),
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
        self.message.setText(said)


def _difficulty(
    network: str, volume: Volume, codes: NDArray[np.uint8] | None
) -> Generator[Event, None, tuple[NDArray[np.float32], str]]:
    from napari_microus.core.predict import predict

    model = library.load_model(network)

    def predictor(scan: Volume) -> Generator[Event, None, Any]:
        return predict(
            model, scan, largest_component=False, fill_holes=False, min_confidence=0
        )

    entropy = yield from difficulty(predictor, volume)
    said = f"Predicted with the model '{network}'. Bright = model uncertain."
    if codes is not None:
        found = rank_correlation(entropy, codes)
        said += (
            " Rank correlation with the real difference: "
            f"{number(found.per_pixel)} over pixels, {number(found.per_frame)} over "
            "frames."
        )
    return entropy, said
