"""The choice of one annotation: a node and a part of it, drawn here or loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from MicroUSLib.combo_boxes import chosen
from MicroUSLib.scene.annotations import Annotator, parts_of
from MicroUSLib.scene.nodes import is_in_scene

if TYPE_CHECKING:
    from collections.abc import Callable

    import qt
    import slicer

    from MicroUSLib.parameters import MicroUSParameterNode


class AnnotationChoice:
    """A node selector and the list of that node's segments or label values.

    Parameters
    ----------
    selector : qMRMLNodeComboBox
        Tied to the parameter ``name`` by the panel.
    box : QComboBox
        Lists the parts.
    name : str
        Of the parameter that holds the node; that of the part ends in ``Part``.
    role : str
        What the annotation is called in a message.
    changed : callable
        Called when something else was chosen.
    """

    def __init__(
        self,
        selector: slicer.qMRMLNodeComboBox,
        box: qt.QComboBox,
        name: str,
        role: str,
        changed: Callable[[], None],
    ) -> None:
        self.selector, self.box = selector, box
        self._name, self._role = name, role
        self._changed = changed
        self.parameters: MicroUSParameterNode | None = None
        selector.currentNodeChanged.connect(self._on_node)
        box.currentIndexChanged.connect(self._on_part)

    @property
    def annotator(self) -> Annotator:
        """What is chosen; its node may be None."""
        node = getattr(self.parameters, self._name)
        return Annotator(
            node, getattr(self.parameters, f"{self._name}Part"), self._role
        )

    @property
    def is_made(self) -> bool:
        """Whether a node in the scene is chosen."""
        return self.parameters is not None and is_in_scene(self.annotator.node)

    def choose(
        self, node: Any, part: str, parameters: MicroUSParameterNode | None = None
    ) -> None:
        """Choose another annotation, such as one just loaded.

        ``parameters`` are those of the moment when the work began: the module may
        have been left since, and shows the choice when it is opened again.
        """
        keeps = self.parameters or parameters
        if keeps is not None:
            setattr(keeps, self._name, node)
        if self.parameters is None:
            if keeps is not None:
                setattr(keeps, f"{self._name}Part", part)
            return
        self.selector.setCurrentNode(node)
        self._fill(node, part)
        self._on_part()

    def restore(self, parameters: MicroUSParameterNode | None) -> None:
        """Show the choice that a scene keeps."""
        self.parameters = parameters
        if parameters is not None:
            made = self.annotator
            self._fill(made.node, made.part)
            self._keep_part()

    def take_next(self) -> None:
        """Choose the second part where it was the first."""
        if self.box.count > 1 and self.box.currentIndex == 0:
            self.box.currentIndex = 1

    def _on_node(self, *_: object) -> None:
        self._fill(self.selector.currentNode(), "")
        self._on_part()

    def _on_part(self, *_: object) -> None:
        self._keep_part()
        self._changed()

    def _keep_part(self) -> None:
        if self.parameters is not None:
            setattr(self.parameters, f"{self._name}Part", chosen(self.box))

    def _fill(self, node: Any, wanted: str) -> None:
        box = self.box
        box.blockSignals(True)
        box.clear()
        for key, name in parts_of(node):
            box.addItem(name, key)
        box.currentIndex = max(0, box.findData(wanted)) if box.count else -1
        box.blockSignals(False)
