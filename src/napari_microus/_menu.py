"""Menu entries that open and save scans, whatever other plugins are installed.

napari asks which plugin should read a picture where several can, and its own
dialog for saving begins with a format that loses the voxel size; these entries
take ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.utils.notifications import show_error, show_info

from napari_microus.core.errors import MicroUSError, plain_words
from napari_microus.widgets._shared.opening import ask_folder, ask_scans
from napari_microus.widgets._shared.saving import ask_path, save

if TYPE_CHECKING:
    from napari import Viewer


def open_scan() -> None:
    """Ask for files and open each as a scan or an annotation."""
    ask_scans(_viewer())


def open_folder() -> None:
    """Ask for a folder and open its frames as one scan."""
    ask_folder(_viewer())


def save_layer() -> None:
    """Ask for a name and save the selected layer in its scan's geometry."""
    from napari.layers import Image, Labels

    layer = _viewer().layers.selection.active
    if not isinstance(layer, (Image, Labels)):
        show_error("Select one annotation or scan in the layer list first.")
        return
    path = ask_path(layer)
    if not path:
        return
    try:
        written = save(layer, path)
    except MicroUSError as error:
        show_error(plain_words(error))
    else:
        show_info(f"Saved {written}")


def show_keys() -> None:
    """Show every key of the plugin on one sheet."""
    from qtpy.QtWidgets import QApplication

    from napari_microus.widgets._shared.key_sheet import show_sheet

    show_sheet(QApplication.activeWindow())


def copy_diagnostics() -> None:
    """Put versions, devices and the last log lines on the clipboard."""
    from napari_microus.widgets._shared import diagnostics

    diagnostics.copy_diagnostics()
    show_info("The diagnostics are on the clipboard; no names, paths or pictures.")


def _viewer() -> Viewer:
    from napari import current_viewer

    viewer = current_viewer()
    assert viewer is not None  # the menu belongs to one
    return viewer
