"""The part of *Compare* beyond two annotators: consensus, and a model's check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

from MicroUSLib.combo_boxes import chosen
from MicroUSLib.scene.annotations import Annotator, parts_of
from MicroUSLib.scene.segments import is_derived

from . import comparison, model_check, trainee_report

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import SimpleNamespace

    from .work import Comparer, CompareWork

_METHODS = ("union", "intersection", "majority", "mean_distance", "staple")
_DRAWN = ("vtkMRMLSegmentationNode", "vtkMRMLLabelMapVolumeNode")


class ToolsPanel:
    """Ties the list of annotators and the model's row to the core.

    Parameters
    ----------
    ui : namespace
        The widgets of ``MicroUS.ui`` by name.
    work : CompareWork
        Runs what takes long.
    comparer : Comparer
        Holds what is chosen and what was found.
    """

    def __init__(
        self, ui: SimpleNamespace, work: CompareWork, comparer: Comparer
    ) -> None:
        self._ui, self._work, self._comparer = ui, work, comparer
        self._listed: list[tuple[Any, str]] = []
        self.ask_folders = trainee_report.ask_folders
        for method in _METHODS:
            ui.consensusComboBox.addItem(method.replace("_", " "), method)
        ui.consensusButton.clicked.connect(self.make_consensus)
        ui.checkModelButton.clicked.connect(self.check_model)
        ui.reportButton.clicked.connect(self.write_report)
        ui.compareSection.contentsCollapsed.connect(self.list_annotators)

    def refresh(self, is_free: bool) -> None:
        """Enable what can be pressed now."""
        self._ui.consensusButton.enabled = is_free
        self._ui.reportButton.enabled = is_free
        self._ui.checkModelButton.enabled = is_free and self._comparer.found is not None

    def forget(self) -> None:
        """Forget the case."""
        self._listed = []
        self._ui.annotatorList.clear()
        self._ui.modelLabel.text = ""

    def list_annotators(self, *args: object) -> None:
        """List everything drawn in the scene, with the chosen two ticked."""
        ticked = self._ticked()
        self._listed = []
        self._ui.annotatorList.clear()
        if self._comparer.parameters is None:
            return
        pair = [self._comparer.expert.annotator, self._comparer.nonexpert.annotator]
        for node in _drawn(pair[0].node, pair[1].node):
            for key, name in parts_of(node):
                self._listed.append((node, key))
                item = qt.QListWidgetItem(f"{node.GetName()}: {name}")
                is_chosen = any(a.node is node and a.part == key for a in pair)
                is_ticked = is_chosen or (node, key) in ticked
                item.setCheckState(qt.Qt.Checked if is_ticked else qt.Qt.Unchecked)
                self._ui.annotatorList.addItem(item)

    def _ticked(self) -> list[tuple[Any, str]]:
        return [
            listed
            for line, listed in enumerate(self._listed)
            if self._ui.annotatorList.item(line).checkState() == qt.Qt.Checked
        ]

    def make_consensus(self, *args: object) -> None:
        """Fuse the ticked annotations into a new segment."""
        with self._work.doing(_("No consensus was made.")) as on_event:
            self._comparer.ensure_packages()
            ticked = [
                Annotator(node, key, "annotator's") for node, key in self._ticked()
            ]
            volume = comparison.scan_of(self._comparer.parameters.volume, *ticked)
            node, segment_id = comparison.add_consensus(
                volume, ticked, chosen(self._ui.consensusComboBox), on_event
            )
            name = node.GetSegmentation().GetSegment(segment_id).GetName()
            self._work.say(_("'{0}' is in '{1}'.").format(name, node.GetName()))

    def check_model(self, *args: object) -> None:
        """Show with whom a third mask, such as a model's, sides."""
        with self._work.doing(_("The model was not compared.")) as on_event:
            found = model_check.compare_model(
                self._comparer.found, self._comparer.model.annotator, on_event
            )
            node = model_check.show(self._comparer.found, found)
            self._ui.modelLabel.text = model_check.in_words(found)
            self._work.say(
                _("'{0}' shows where. Not for clinical use.").format(node.GetName())
            )

    def write_report(self, *args: object) -> None:
        """Compare a trainee's folder of masks with a reference's, and write a page."""
        asked = self.ask_folders()
        if asked is None:
            return
        with self._work.doing(_("The report was not written.")) as on_event:
            self._comparer.ensure_packages()
            left_out = trainee_report.write_report(*asked, on_event)
            said = _("Wrote {0}.").format(asked[2])
            self._work.say("\n".join([said, *left_out]))


def _drawn(*chosen_nodes: Any) -> Iterator[Any]:
    """Yield the chosen nodes, then all others that annotators may have drawn."""
    seen: list[Any] = []
    everything = [n for kind in _DRAWN for n in slicer.util.getNodesByClass(kind)]
    for node in (*chosen_nodes, *everything):
        if node is None or any(node is other for other in seen):
            continue
        seen.append(node)
        if node in chosen_nodes or not is_derived(node):
            yield node
