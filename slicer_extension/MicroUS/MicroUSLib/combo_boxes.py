"""What stands behind the lines of a combo box."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import qt


def chosen(box: qt.QComboBox) -> str:
    """Return the key of the chosen line, "" if there is none.

    ``currentData`` is a property to PythonQt and a method to others.
    """
    return box.itemData(box.currentIndex) or ""
