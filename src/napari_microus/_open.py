"""Menu entries that open a scan at once, whatever other readers are installed.

napari asks which plugin should read a picture where several can; these entries
take ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari import Viewer


def open_scan() -> None:
    """Ask for files and open each as a scan or an annotation."""
    from qtpy.QtWidgets import QFileDialog

    from napari_microus.core.io import READABLE

    patterns = " ".join(f"*{suffix}" for suffix in READABLE)
    viewer = _viewer()
    paths, _ = QFileDialog.getOpenFileNames(
        None, "Open micro-ultrasound scan", filter=f"Scans ({patterns});;All files (*)"
    )
    _open(viewer, paths)


def open_folder() -> None:
    """Ask for a folder and open its frames as one scan."""
    from qtpy.QtWidgets import QFileDialog

    viewer = _viewer()
    folder = QFileDialog.getExistingDirectory(None, "Open folder of frames")
    _open(viewer, [folder] if folder else [])


def _viewer() -> Viewer:
    from napari import current_viewer

    viewer = current_viewer()
    assert viewer is not None  # the menu belongs to one
    return viewer


def _open(viewer: Viewer, paths: list[str]) -> None:
    for path in paths:
        viewer.open(path, plugin="napari-microus")
