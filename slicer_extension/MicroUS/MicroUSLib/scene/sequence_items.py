"""The items of a sequence behind the node that a browser shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import slicer

if TYPE_CHECKING:
    from collections.abc import Iterator


def with_items(node: slicer.vtkMRMLNode) -> list[slicer.vtkMRMLNode]:
    """Return a node together with the items of the sequences that are shown in it.

    A browser overwrites the node with an item, attributes too: what is to last has to
    be done to all of them.
    """
    logic = slicer.modules.sequences.logic()
    browser = logic.GetFirstBrowserNodeForProxyNode(node)
    if browser is None:
        return [node]
    sequence = browser.GetSequenceNode(node)
    count = sequence.GetNumberOfDataNodes()
    return [node, *(sequence.GetNthDataNode(number) for number in range(count))]


def shown_one_by_one(volume: slicer.vtkMRMLNode) -> Iterator[int]:
    """Show one item after the other in a node; the present one comes back."""
    logic = slicer.modules.sequences.logic()
    browser = logic.GetFirstBrowserNodeForProxyNode(volume)
    before = browser.GetSelectedItemNumber()
    try:
        for number in range(browser.GetNumberOfItems()):
            browser.SetSelectedItemNumber(number)
            logic.UpdateProxyNodesFromSequences(browser)
            yield number
    finally:
        browser.SetSelectedItemNumber(before)
        logic.UpdateProxyNodesFromSequences(browser)
