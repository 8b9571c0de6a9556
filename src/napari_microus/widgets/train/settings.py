"""The settings under *Advanced*: what each is called, does, and is published as."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from napari_microus.core.config.loss import LossConfig, loss_names
from napari_microus.core.config.train import TrainConfig
from napari_microus.core.errors import ConfigError
from napari_microus.widgets._shared.boxes import combo

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Setting:
    """One setting of a `TrainConfig`.

    ``path`` names it as ``--set`` does. ``kind`` is "number", "whole", "wholes" (a
    list of whole numbers), "words" (a list of them), "check" or a tuple of choices;
    where ``may_be_empty`` an empty field means none. ``published`` is what the papers
    took. ``only`` is "frames" or "volumes" where the other kind does not know it.
    """

    path: str
    label: str
    kind: str | tuple[str, ...]
    tip: str
    published: str = ""
    may_be_empty: bool = False
    only: str = ""

    @property
    def tooltip(self) -> str:
        """The tip with what the papers took."""
        return (
            f"{self.tip} Published: {self.published}." if self.published else self.tip
        )


_LABEL_WIDTH = 140
_LOSSES = loss_names()
_FORMS = get_args(get_type_hints(LossConfig)["form"])
_PRECISIONS = get_args(get_type_hints(TrainConfig)["precision"])

SECTIONS: dict[str, tuple[Setting, ...]] = {
    "How long": (
        Setting("epochs", "Epochs", "whole", "How often all frames are seen.", "10"),
        Setting(
            "early_stop",
            "Stop early after",
            "whole",
            "End the run when this many epochs brought no better overlap on the "
            "validation patients. Empty: never.",
            "never",
            may_be_empty=True,
        ),
        Setting(
            "time_limit_s",
            "Time limit (s)",
            "number",
            "End the run after this many seconds. Empty: no limit.",
            may_be_empty=True,
        ),
    ),
    "Learning": (
        Setting(
            "batch_size",
            "Batch size",
            "whole",
            "Frames from which one step learns. When memory runs out fewer pass at "
            "once; the step stays the same.",
            "8",
        ),
        Setting(
            "optimizer.name",
            "Optimiser",
            ("sgd", "adam", "adamw"),
            "The rule by which weights are changed.",
            "sgd",
        ),
        Setting(
            "optimizer.learning_rate",
            "Learning rate",
            "number",
            "How far one step goes. Too high and the loss jumps; too low and nothing "
            "happens.",
            "0.01 with sgd",
        ),
        Setting(
            "optimizer.weight_decay",
            "Weight decay",
            "number",
            "Pulls weights towards zero, against learning by heart.",
            "0.0001",
        ),
        Setting(
            "optimizer.schedule",
            "Schedule",
            ("poly", "cosine", "constant"),
            "How the learning rate falls in the course of the run.",
            "poly",
        ),
        Setting(
            "optimizer.layer_decay",
            "Layer decay",
            "number",
            "Below 1, layers near the picture learn more slowly: they hold edges and "
            "speckle already.",
            "1 (all alike)",
        ),
        Setting(
            "optimizer.ema",
            "Averaging",
            "number",
            "Keeps a running average of the weights, which is steadier. 0: none.",
            "0",
        ),
    ),
    "Loss": (
        Setting(
            "loss.name",
            "Loss",
            _LOSSES,
            "What counts as an error. The adaptive focal loss looks harder where "
            "annotators differ.",
            "adaptive_focal",
        ),
        Setting(
            "loss.variability",
            "Disagreement by",
            ("nonexpert_mean", "disagreement"),
            "How the adaptive loss reads the two annotators: by the non-expert's area "
            "as published, or by how much the two differ.",
            "nonexpert_mean",
            only="frames",
        ),
        Setting(
            "loss.form",
            "Formula",
            _FORMS,
            "Only for size_smoothness: the paper's formula, or its published code, "
            "which gives the target the small weight.",
            "published_code",
        ),
        Setting(
            "loss.terms",
            "Terms",
            "words",
            "Only for size_smoothness: which of alpha_va, gamma_va and gamma_mSa take "
            "part. Without alpha_va both classes weigh the same.",
            "alpha_va, gamma_va, gamma_mSa",
        ),
        Setting(
            "loss.dice_weight",
            "Weight of Dice",
            "number",
            "Adds a loss on the overlap itself. 0: none.",
            "0",
        ),
        Setting(
            "loss.hard_weight",
            "Weight of hard region",
            "number",
            "Only for ag_bce: how much pixels count where annotators differ.",
            "4",
            only="frames",
        ),
        Setting(
            "loss.kernel_sizes",
            "Kernel of hard region",
            "wholes",
            "Squares that widen the disagreement at full, half, quarter and eighth "
            "size, in the network's pixels.",
            "4, 3, 2, 1",
            only="frames",
        ),
        Setting(
            "loss.deep_supervision",
            "Learn at all scales",
            "check",
            "Also compares coarser versions of the answer.",
            "on",
            only="frames",
        ),
    ),
    "Augmentation": (
        Setting(
            "augment.rotation_deg",
            "Rotation (°)",
            "number",
            "Frames are turned by up to this much.",
            "0",
        ),
        Setting(
            "augment.scale",
            "Scaling",
            "number",
            "Frames grow or shrink by up to this part.",
            "0",
        ),
        Setting(
            "augment.flip_horizontal",
            "Mirror",
            "number",
            "Chance that a frame is mirrored left to right.",
            "0",
        ),
        Setting(
            "augment.contrast",
            "Contrast",
            "number",
            "Contrast changes by up to this part.",
            "0",
        ),
        Setting(
            "augment.speckle",
            "Speckle",
            "number",
            "Strength of noise like that of ultrasound.",
            "0",
            only="frames",
        ),
        Setting(
            "augment.gain_curve",
            "Gain curve",
            "number",
            "Brightness drifts with depth, as when the sonographer moves the sliders.",
            "0",
            only="frames",
        ),
    ),
    "Patches of volumes": (
        Setting(
            "data.patches_per_case",
            "Patches of a case",
            "whole",
            "Blocks that are cut out of each volume in an epoch.",
            only="volumes",
        ),
        Setting(
            "data.foreground_share",
            "Around the target",
            "number",
            "How often, 0 to 1, a block is cut out around a voxel of the target; small "
            "lesions are hardly ever met by chance.",
            only="volumes",
        ),
        Setting(
            "data.overlap",
            "Overlap of windows",
            "number",
            "Share of a window that the next one sees again, when a whole volume is "
            "segmented.",
            only="volumes",
        ),
    ),
    "Validation and machine": (
        Setting(
            "validate_every",
            "Validate every",
            "whole",
            "Epochs between two looks at the validation patients.",
            "1",
        ),
        Setting(
            "data.val_frames_per_case",
            "Frames per case",
            "whole",
            "Frames of each validation scan that are measured. Empty: all.",
            "all",
            may_be_empty=True,
            only="frames",
        ),
        Setting(
            "data.fold",
            "Held-out fold",
            "whole",
            "For a study split in folds: the fold to validate on. Empty: none.",
            may_be_empty=True,
        ),
        Setting(
            "device",
            "Device",
            ("auto", "cuda", "mps", "cpu"),
            "What does the computing. auto takes a graphics card if there is one.",
        ),
        Setting(
            "precision",
            "Precision",
            _PRECISIONS,
            "Half precision is faster on graphics cards. auto chooses.",
            "32-true",
        ),
        Setting(
            "threads",
            "Threads",
            "whole",
            "Processor cores to use. Empty: all.",
            may_be_empty=True,
        ),
        Setting("seed", "Seed", "whole", "The same seed gives the same run."),
        Setting(
            "deterministic",
            "Repeatable",
            "check",
            "Refuse shortcuts whose result may differ from run to run. Slower.",
            "off",
        ),
        Setting(
            "promote",
            "Into the library",
            ("if_not_worse", "always"),
            "A fine-tuned model that is worse than its start on the held-out patients "
            "stays in its run, unless always.",
        ),
        Setting(
            "tensorboard",
            "TensorBoard log",
            "check",
            "Also write a log that TensorBoard reads.",
        ),
        Setting(
            "mlflow",
            "MLflow log",
            "check",
            "Also log to the MLflow server of MLFLOW_TRACKING_URI, or into a folder "
            "mlruns beside the runs.",
        ),
    ),
}


class AdvancedForm(QWidget):
    """Fields for every setting of `SECTIONS`, filled from a recipe.

    What differs from the recipe is shown in bold and returned by `changes`.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.fields: dict[str, QLineEdit | QComboBox | QCheckBox] = {}
        self._labels: dict[str, QLabel] = {}
        self._settings = {s.path: s for part in SECTIONS.values() for s in part}
        self._recipe: dict[str, Any] = {}
        self._parts: dict[str, QFormLayout] = {}
        self._headings: dict[str, QLabel] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 0, 0, 0)
        for title, settings in SECTIONS.items():
            heading = QLabel(title)
            heading.setStyleSheet("font-weight: bold; margin-top: 6px")
            column.addWidget(heading)
            self._headings[title] = heading
            rows = QFormLayout()
            rows.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
            rows.setContentsMargins(0, 0, 0, 0)
            growth = QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow
            rows.setFieldGrowthPolicy(growth)
            for setting in settings:
                rows.addRow(self._label(setting), self._field(setting))
            column.addLayout(rows)
            self._parts[title] = rows

    def show_kind(self, kind: str) -> None:
        """Show what is for "frames", or for "volumes", and hide what is not."""
        for path, setting in self._settings.items():
            is_known = setting.only in ("", kind)
            self.fields[path].setVisible(is_known)
            self._labels[path].setVisible(is_known)
        for title, settings in SECTIONS.items():
            is_known = any(setting.only in ("", kind) for setting in settings)
            self._headings[title].setVisible(is_known)

    def add_below(self, title: str, widget: QWidget) -> None:
        """Put a widget below the fields of one of `SECTIONS`."""
        self._parts[title].addRow(widget)

    def _label(self, setting: Setting) -> QLabel:
        label = QLabel(setting.label)
        label.setMinimumWidth(_LABEL_WIDTH)  # fields of all parts in one column
        label.setToolTip(setting.tooltip)
        self._labels[setting.path] = label
        return label

    def _field(self, setting: Setting) -> QWidget:
        field: QLineEdit | QComboBox | QCheckBox
        if setting.kind == "check":
            field = QCheckBox()
            field.toggled.connect(self._on_change)
        elif isinstance(setting.kind, tuple):
            field = combo(setting.tooltip)
            field.addItems(setting.kind)
            field.currentIndexChanged.connect(self._on_change)
        else:
            field = QLineEdit()
            field.setPlaceholderText("none" if setting.may_be_empty else "")
            field.textChanged.connect(self._on_change)
        field.setToolTip(setting.tooltip)
        self.fields[setting.path] = field
        return field

    def show_recipe(self, recipe: Mapping[str, Any]) -> None:
        """Fill every field from the settings of a recipe."""
        self._recipe = {path: _at(recipe, path) for path in self._settings}
        for path, value in self._recipe.items():
            field = self.fields[path]
            field.blockSignals(True)
            if isinstance(field, QCheckBox):
                field.setChecked(bool(value))
            elif isinstance(field, QComboBox):
                field.setCurrentText(str(value))
            else:
                field.setText(_as_text(value))
            field.blockSignals(False)
        self._on_change()

    def changes(self) -> dict[str, Any]:
        """Return what differs from the recipe, by ``path``.

        Raises
        ------
        ConfigError
            If a field holds no number where one is needed.
        """
        found = {path: self._value(path) for path in self._settings}
        return {p: v for p, v in found.items() if v != self._recipe.get(p)}

    def _value(self, path: str) -> Any:
        field, setting = self.fields[path], self._settings[path]
        if isinstance(field, QCheckBox):
            return field.isChecked()
        if isinstance(field, QComboBox):
            return field.currentText()
        text = field.text().strip()
        if not text and setting.may_be_empty:
            return None
        if setting.kind == "wholes":
            return self._integers(setting, text)
        if setting.kind == "words":
            return text.replace(",", " ").split()
        is_whole = setting.kind == "whole"
        try:
            return int(text) if is_whole else float(text)
        except ValueError:
            kind = "a whole number" if is_whole else "a number"
            raise ConfigError(
                f"{setting.label} must be {kind}; got '{text}'. Correct it under "
                "Advanced.",
                plain=f"'{text}' is not {kind}. Correct {setting.label} "
                "under Advanced.",
            ) from None

    def _integers(self, setting: Setting, text: str) -> list[int]:
        try:
            return [int(part) for part in text.replace(",", " ").split()]
        except ValueError:
            raise ConfigError(
                f"{setting.label} must be whole numbers; got '{text}'. Write them as "
                f"{setting.published}.",
                plain=f"'{text}' is no list of whole numbers. Write {setting.label} as "
                f"{setting.published}.",
            ) from None

    def _on_change(self, *_: object) -> None:
        for path, label in self._labels.items():
            try:
                is_changed = self._value(path) != self._recipe.get(path)
            except ConfigError:
                is_changed = True
            label.setStyleSheet("font-weight: bold" if is_changed else "")
        self.changed.emit()


def _as_text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(str(part) for part in value)
    return "" if value is None else str(value)


def _at(values: Mapping[str, Any], path: str) -> Any:
    found: Any = values
    for name in path.split("."):
        found = found[name]
    return found
