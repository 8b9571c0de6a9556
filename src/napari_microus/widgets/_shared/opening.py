"""Open our docks, the sample and scans from a button."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Layer
from napari.utils.notifications import show_error
from qtpy.QtWidgets import QDockWidget, QFileDialog

from napari_microus.core.errors import InputError
from napari_microus.widgets._shared.words import tr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtWidgets import QWidget

PLUGIN = "napari-microus"
SEGMENT, CORRECT, COMPARE = "Segment capsule", "Correct capsule", "Compare annotations"
LIVE, TRAIN, BATCH, WELCOME = "Segment live", "Train", "Batch", "Welcome"
#: The docks that work on something.
DOCKS = (SEGMENT, CORRECT, COMPARE, TRAIN, BATCH, LIVE)


def open_dock(viewer: Any, name: str) -> QWidget | None:
    """Show one of our docks, in front of those it shares its place with.

    One that is open is shown, whoever opened it: napari's menu names it after the
    plugin's title, ``add_plugin_dock_widget`` after the package, so that asked for by
    that name alone it would be made a second time.

    Returns
    -------
    QWidget or None
        The dock's widget; None where the viewer has no window.
    """
    window = getattr(viewer, "window", None)
    if window is None:
        return None
    for title, widget in window.dock_widgets.items():
        if title.partition(" (")[0] == name and _is_ours(widget):
            break
    else:
        _, widget = window.add_plugin_dock_widget(PLUGIN, name, tabify=True)
    raise_dock(widget)
    return widget


def _is_ours(widget: QWidget) -> bool:
    return type(widget).__module__.startswith("napari_microus.")


def raise_dock(widget: QWidget) -> None:
    """Bring the dock that a widget is in to the front."""
    frame = frame_of(widget)
    if frame is not None:
        frame.show()
        frame.raise_()


def frame_of(widget: QWidget) -> QDockWidget | None:
    """Return the dock of the window that holds a widget."""
    above = widget.parentWidget()
    while above is not None and not isinstance(above, QDockWidget):
        above = above.parentWidget()
    return above


def open_sample(viewer: Any, *, with_outlines: bool) -> Image:
    """Open the real frames that come with the plugin, or show them again.

    Parameters
    ----------
    viewer : Viewer
        Where it is opened.
    with_outlines : bool
        Whether the two outlines are shown, too; without, they are hidden.
    """
    scan = next((layer for layer in viewer.layers if _is_sample(layer)), None)
    if scan is None:
        before = list(viewer.layers)
        viewer.open_sample(PLUGIN, "sweep")
        scan, *outlines = [layer for layer in viewer.layers if layer not in before]
        for outline in outlines:
            outline.visible = with_outlines
        if with_outlines:
            _show_a_frame_of_both(viewer, scan, outlines)
    viewer.layers.selection = {scan}
    return scan


def _show_a_frame_of_both(viewer: Any, scan: Any, outlines: Sequence[Any]) -> None:
    """Go to a frame that both outlines show; some were outlined once."""
    both = [
        frame
        for frame in range(len(scan.data))
        if all((outline.data[frame] == 1).any() for outline in outlines)
    ]
    if both:
        world = scan.data_to_world((both[len(both) // 2], 0, 0))
        viewer.dims.set_point(0, world[0])


def _is_sample(layer: Any) -> bool:
    from napari_microus.widgets._shared.layers import METADATA_KEY

    stated = layer.metadata.get(METADATA_KEY, {})
    is_ours = isinstance(stated, dict) and "attribution" in stated
    return isinstance(layer, Image) and is_ours


def ask_scans(viewer: Any) -> bool:
    """Ask for files and open each; return whether there is anything new."""
    from napari_microus.core.io import READABLE

    patterns = " ".join(f"*{suffix}" for suffix in READABLE)
    kinds = f"{tr('Scans')} ({patterns});;{tr('All files')} (*)"
    title = tr("Open micro-ultrasound scan")
    paths, _ = QFileDialog.getOpenFileNames(None, title, filter=kinds)
    return open_paths(viewer, paths)


def ask_folder(viewer: Any) -> bool:
    """Ask for a folder and open its frames; return whether there is anything new."""
    folder = QFileDialog.getExistingDirectory(None, tr("Open folder of frames"))
    return open_paths(viewer, [folder] if folder else [])


def open_paths(viewer: Any, paths: Sequence[str]) -> bool:
    """Open files or folders with our reader, and say what cannot be read.

    Not by the viewer's own ``open``: it takes a reader for those files alone that the
    manifest claims, and pictures and folders are claimed by none of ours.
    """
    from napari_microus.widgets._shared.reading import get_reader

    before = len(viewer.layers)
    for path in paths:
        read = get_reader(path)
        if read is None:
            show_error(_unknown(path))
            continue
        try:
            found = read(path)
        except InputError as error:
            show_error(error.plain)
            continue
        for data in found:
            if data[0] is not None:  # napari's way to say that there is nothing
                viewer.add_layer(Layer.create(*data))
    return len(viewer.layers) > before


def _unknown(path: str) -> str:
    words = tr(
        "Cannot open {name}: this kind of file is not known here. Choose DICOM, NIfTI, "
        "NRRD, MetaImage or pictures."
    )
    return words.format(name=Path(path).name)
