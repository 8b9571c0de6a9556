"""Show a mask as an outline for a while."""

from __future__ import annotations

from typing import Any

from napari_microus.core import colors
from napari_microus.core.mask import IGNORE_VALUE


class Outlined:
    """A mask shown as an outline in one colour, and how it was shown before.

    Parameters
    ----------
    layer : Labels
        Shown until `restore`.
    value : int or None
        The label that is outlined; None for every one.
    color : str
        Hexadecimal colour.
    """

    def __init__(self, layer: Any, value: int | None, color: str) -> None:
        self.layer = layer
        self._before = (layer.contour, layer.colormap, layer.selected_label)
        layer.colormap = (
            {IGNORE_VALUE: colors.IGNORED, value: color, None: "transparent"}
            if value is not None
            else {0: "transparent", None: color}
        )
        layer.contour = 2
        if value is not None:
            layer.selected_label = value

    def restore(self) -> None:
        """Show the mask as it was."""
        contour, colormap, selected = self._before
        self.layer.contour = contour
        self.layer.colormap = colormap
        self.layer.selected_label = selected
