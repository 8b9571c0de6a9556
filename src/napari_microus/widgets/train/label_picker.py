"""Ask which labels of a data set are to be learnt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QDialogButtonBox, QWidget

from napari_microus.widgets._shared.list_picker import ListPicker
from napari_microus.widgets._shared.words import tr

if TYPE_CHECKING:
    from collections.abc import Sequence


def label_picker(labels: Sequence[str], parent: QWidget | None = None) -> ListPicker:
    """Return a list of labels, of which one or several together are the target."""
    return ListPicker(
        tr("Choose what to learn"),
        tr(
            "The masks hold several labels. Choose the one to be learnt, or "
            "several with Ctrl or Shift, which then count as one."
        ),
        labels,
        QDialogButtonBox.StandardButton.Ok,
        parent,
    )


def ask_labels(labels: Sequence[str], parent: QWidget | None = None) -> list[str]:
    """Show the list, and return what was chosen; nothing where it was cancelled."""
    return [labels[row] for row in label_picker(labels, parent).ask()]
