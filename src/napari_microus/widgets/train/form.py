"""The choices of a new run: start model, data, recipe, and the rest folded away."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QFormLayout,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from napari_microus.core.config.presets import preset_names, preset_path
from napari_microus.core.config.published_weights import published_weights
from napari_microus.core.config.train import TrainConfig
from napari_microus.core.errors import ConfigError, MicroUSError, plain_words
from napari_microus.core.library import find_published
from napari_microus.core.study import Study
from napari_microus.core.study.kind import NO_STUDY, check_kind
from napari_microus.core.study.split import training_cases
from napari_microus.widgets._shared.boxes import combo
from napari_microus.widgets._shared.controls import fold
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets.train.cases import count_cases
from napari_microus.widgets.train.settings import AdvancedForm

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_microus.core.library import ModelInfo
    from napari_microus.core.runs.workspace import Workspace

#: Weights by name with which a new network can begin.
PUBLISHED = tuple(published_weights())
PHANTOMS = tr("Phantoms (synthetic)")
DEFAULT_PRESET = "fine-tune"


class RunForm(QWidget):
    """What a new run starts from, learns from, and how.

    Parameters
    ----------
    list_models : callable
        `core.library.list_models`.
    workspace : Workspace
        Holds the studies.
    """

    changed = Signal()

    def __init__(
        self,
        list_models: Callable[[], list[ModelInfo]],
        workspace: Workspace,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._list_models = list_models
        self._workspace = workspace
        self._preset: TrainConfig | None = None
        self.start_box = combo(
            tr(
                "What the run begins with: a trained model learns your scans in "
                "minutes, a new network needs hundreds of frames and hours."
            )
        )
        self.data_box = combo(
            tr(
                "The study to learn from; make one under Study. Phantoms are "
                "synthetic scans, good to try things out."
            )
        )
        self.preset_box = combo(tr("A recipe: every setting of a run under one name."))
        self.name_edit = QLineEdit()
        self.name_edit.setToolTip(
            tr("Name of the finished model in the library. No patient's name, please.")
        )
        self.data_note = QLabel()
        self.data_note.setWordWrap(True)
        self.data_note.setStyleSheet("font-size: 11px")
        self.advanced = AdvancedForm()
        self._lay_out()
        self._fill_presets()
        self.refresh_studies()
        self._on_preset()
        self.preset_box.currentIndexChanged.connect(self._on_preset)
        for box in (self.start_box, self.data_box):
            box.currentIndexChanged.connect(self._on_choice)
        self.name_edit.textChanged.connect(self._on_choice)
        self.advanced.fields["data.fold"].editingFinished.connect(self._note_data)
        self.advanced.changed.connect(self.changed)

    def _lay_out(self) -> None:
        rows = QFormLayout()
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        rows.addRow(tr("Start from"), self.start_box)
        rows.addRow(tr("Data"), self.data_box)
        rows.addRow("", self.data_note)
        rows.addRow(tr("Preset"), self.preset_box)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 0, 0)
        name_row = QFormLayout()
        name_row.setContentsMargins(12, 0, 0, 0)
        name_row.addRow(tr("Model's name"), self.name_edit)
        column.addLayout(name_row)
        column.addWidget(self.advanced)
        self.fold = fold(tr("Advanced"), inside)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(rows)
        layout.addWidget(self.fold)

    def _fill_presets(self) -> None:
        names = sorted(preset_names(), key=lambda name: (name != DEFAULT_PRESET, name))
        for index, name in enumerate(names):
            self.preset_box.addItem(name, name)
            tip = preset_summary(name)
            self.preset_box.setItemData(index, tip, Qt.ItemDataRole.ToolTipRole)

    def refresh_studies(self, select: Path | None = None) -> None:
        """List the studies again and keep the choice, or choose ``select``."""
        chosen = select or self.study
        self.data_box.blockSignals(True)
        self.data_box.clear()
        for study in self._workspace.studies:
            self.data_box.addItem(study.name, study)
            last = self.data_box.count() - 1
            self.data_box.setItemData(last, str(study), Qt.ItemDataRole.ToolTipRole)
        self.data_box.addItem(PHANTOMS, None)
        studies = self._workspace.studies
        self.data_box.setCurrentIndex(studies.index(chosen) if chosen in studies else 0)
        self.data_box.blockSignals(False)
        self._on_choice()

    def refresh_models(self) -> None:
        """List the models again and keep the choice."""
        self._fill_starts(self.start_box.currentData())

    def _fill_starts(self, chosen: Any) -> None:
        assert self._preset is not None  # made with the form
        named = tr("as the preset says")
        options: list[tuple[str, dict[str, Any]]] = [
            (model.name, {"start": model.name})
            for model in self._list_models()
            if not model.problem and bool(model.channels) == self.takes_volumes
        ]
        if not self.takes_volumes:
            options += [
                *((f"Published weights, {n}", {"start": n}) for n in PUBLISHED),
                (tr("New network, small"), {"start": None, "model": "small"}),
                (tr("New network, base (105 million weights)"), _BASE),
            ]
        options.append((f"New network, {named}", {"start": None}))
        self.start_box.blockSignals(True)
        self.start_box.clear()
        for label, changes in options:
            self.start_box.addItem(label, changes)
            tip = published_tip(changes["start"])
            last = self.start_box.count() - 1
            self.start_box.setItemData(last, tip, Qt.ItemDataRole.ToolTipRole)
        values = [changes for _, changes in options]
        index = values.index(chosen) if chosen in values else len(values) - 1
        self.start_box.setCurrentIndex(index)
        self.start_box.blockSignals(False)

    def _on_preset(self) -> None:
        self._preset = TrainConfig.preset(self.preset_name)
        start = self._preset.start
        self._fill_starts({"start": None} if start is None else {"start": start})
        self.name_edit.setPlaceholderText(self._preset.name)
        self.preset_box.setToolTip(preset_summary(self.preset_name))
        self.advanced.show_recipe(self._preset.to_dict())
        self.advanced.show_kind("volumes" if self.takes_volumes else "frames")
        self._on_choice()

    def _on_choice(self, *_: object) -> None:
        self._note_data()
        self.changed.emit()

    def _note_data(self) -> None:
        """Show what would be learnt from, with the fold under Advanced held out."""
        fold = self.advanced.fields["data.fold"].text().strip()
        known = int(fold) if fold.isdigit() else None
        self.data_note.setText(data_summary(self.study, known, self.channels))

    @property
    def preset_name(self) -> str:
        """The chosen recipe."""
        return str(self.preset_box.currentData())

    @property
    def channels(self) -> int | None:
        """How many channels the recipe's volumes have; None for one of frames."""
        if self._preset is None:  # the form is being made
            return None
        model = self._preset.model
        return model.baseline.in_channels if model.spatial_dims == 3 else None

    @property
    def takes_volumes(self) -> bool:
        """Whether the recipe is one of volumes, and not of frames."""
        return self.channels is not None

    @property
    def study(self) -> Path | None:
        """The chosen study, None for phantoms."""
        found = self.data_box.currentData()
        return found if isinstance(found, Path) else None

    @property
    def model_name(self) -> str:
        """Name that the finished model will have."""
        assert self._preset is not None  # made with the form
        return self.name_edit.text().strip() or self._preset.name

    def take_kernel(self) -> None:
        """Fill in the kernel that *Compare* hands over, and say so under the data."""
        sizes = self._workspace.take_kernel_sizes()
        if sizes is None:
            return
        text = ", ".join(map(str, sizes))
        self.advanced.fields["loss.kernel_sizes"].setText(text)
        self.fold.expand(animate=False)
        self.data_note.setText(
            f"{self.data_note.text()}\nThe kernel of the hard region, {text} px, comes "
            "from Compare; it stands under Advanced."
        )

    def choose_small(self) -> None:
        """Choose the small network, as new."""
        self.start_box.setCurrentIndex(
            self.start_box.findText(tr("New network, small"))
        )

    def changes(self) -> dict[str, Any]:
        """Return what differs from the preset, as dotted names and values.

        Raises
        ------
        ConfigError
            If a field makes no sense.
        """
        found: dict[str, Any] = dict(self.start_box.currentData() or {})
        assert self._preset is not None  # made with the form
        if found.get("start") == self._preset.start:
            del found["start"]
        if self.study is not None:
            found["data.study"] = str(self.study)
        if self.model_name != self._preset.name:
            found["name"] = self.model_name
        return found | self.advanced.changes()

    def config(self, run: Path) -> TrainConfig:
        """Return all settings of a run in that folder, checked.

        Raises
        ------
        ConfigError
            If a setting is out of range.
        """
        changes: dict[str, Any] = {"output": str(run)}
        for path, value in self.changes().items():
            level = changes
            *sections, last = path.split(".")
            for section in sections:
                level = level.setdefault(section, {})
            level[last] = value
        name = self.model_name
        if not name or name.startswith(".") or any(c in name for c in '/\\:*?"<>|'):
            raise ConfigError(
                f"The model's name must be a folder's name; got '{name}'. Use letters, "
                "digits and _ . -",
                plain=(
                    f"'{name}' cannot be a model's name. Use letters, digits and _ . -"
                ),
            )
        return TrainConfig.preset(self.preset_name).with_changes(changes)

    def arguments(self, run: Path) -> list[str]:
        """Return the run as words after ``napari-microus``."""
        words = ["train", "--preset", self.preset_name, "--output", str(run)]
        for path, value in self.changes().items():
            words += ["--set", f"{path}={json.dumps(value)}"]
        return words


_BASE = {"start": None, "model": "base"}


def preset_summary(name: str) -> str:
    """Return the comment with which a recipe's file begins, as one paragraph."""
    lines = []
    for line in preset_path(name).read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        words = line.lstrip("#")
        if words.startswith("   "):  # a command to type
            break
        lines.append(words.strip())
    summary = " ".join(lines)
    if summary.endswith(":"):  # it announced the command
        summary = summary[: summary.rfind(". ") + 1]
    return summary


def published_tip(name: str | None) -> str:
    """Return what published weights are and whether they are here; "" for others."""
    if name not in PUBLISHED:
        return ""
    about = published_weights()[name].about
    if find_published(name) is not None:
        return f"{about}."
    return (
        f"{about}. Not on this computer yet: napari-microus models fetch {name}, or "
        "models import FILE."
    )


def data_summary(
    study: Path | None, fold: int | None = None, channels: int | None = None
) -> str:
    """Return in a sentence what a run would learn from and be measured on."""
    if study is None and channels is not None:
        return NO_STUDY
    if study is None:
        return tr("Synthetic scans. For your own scans, make a study in the next tab.")
    try:
        train, val, _ = training_cases(Study.open(study), fold)
        check_kind(train, channels)
    except MicroUSError as error:
        return plain_words(error)
    counts = [count_cases(cases) for cases in (train, val)]
    return f"{counts[0]} to learn from, {counts[1]} to validate on."
