"""Which volume node is which channel of a model of volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import qt
import slicer
from slicer.i18n import tr as _

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_MASKS = "vtkMRMLLabelMapVolumeNode"


class ChannelSelectors:
    """A choice of volume nodes for each channel; hidden for a model of frames.

    Nodes are offered by their names, as in napari's dock.

    Parameters
    ----------
    holder : QWidget
        Takes a row for each channel.
    on_choice : callable
        Called after each choice.
    """

    def __init__(self, holder: qt.QWidget, on_choice: Callable[[], None]) -> None:
        self._holder = holder
        self._on_choice = on_choice
        self._rows = qt.QFormLayout(holder)
        self._selectors: dict[str, slicer.qMRMLNodeComboBox] = {}
        self._is_offering = False
        holder.visible = False

    @property
    def names(self) -> tuple[str, ...]:
        """The channels that are asked for; none for a model of frames."""
        return tuple(self._selectors)

    def selector(self, name: str) -> slicer.qMRMLNodeComboBox:
        """Return the choice for a channel."""
        return self._selectors[name]

    def show_names(self, names: Sequence[str]) -> None:
        """Ask for these channels; none hides the choice."""
        if tuple(names) != self.names:
            while self._rows.rowCount():
                self._rows.removeRow(0)
            self._selectors = {name: self._selector(name) for name in names}
            for name, selector in self._selectors.items():
                self._rows.addRow(f"{name}:", selector)
            self._holder.visible = bool(self._selectors)
        self.offer()

    def offer(self) -> None:
        """Choose what fits by its name for each channel that has no volume yet."""
        if not self._selectors:
            return
        from napari_microus.core.multichannel.naming import guess_channels

        nodes = [
            node
            for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
            if not node.IsA(_MASKS)
        ]
        kept = {
            name: nodes.index(selector.currentNode())
            for name, selector in self._selectors.items()
            if selector.currentNode() in nodes
        }
        titles = [node.GetName() for node in nodes]
        self._is_offering = True
        try:
            for name, place in guess_channels(self.names, titles, kept).items():
                self._selectors[name].setCurrentNode(nodes[place])
        finally:
            self._is_offering = False

    def chosen(self) -> dict[str, slicer.vtkMRMLScalarVolumeNode]:
        """Return the volume of each channel.

        Raises
        ------
        InputError
            If one has none, or two have the same.
        """
        from napari_microus.core.multichannel.naming import require_own

        return require_own(
            {name: one.currentNode() for name, one in self._selectors.items()},
            lambda node: node.GetName(),
        )

    def _selector(self, name: str) -> slicer.qMRMLNodeComboBox:
        selector = slicer.qMRMLNodeComboBox()
        selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
        selector.showChildNodeTypes = False
        selector.addEnabled = False
        selector.removeEnabled = False
        selector.noneEnabled = True
        selector.selectNodeUponCreation = False
        selector.toolTip = _("The volume that holds this channel ({0}).").format(name)
        selector.setMRMLScene(slicer.mrmlScene)
        selector.currentNodeChanged.connect(self._on_node)
        return selector

    def _on_node(self, *args: object) -> None:
        if not self._is_offering:
            self._on_choice()
