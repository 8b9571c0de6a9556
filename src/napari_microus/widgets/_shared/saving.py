"""Ask where a layer goes, and save it in its scan's geometry."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFileDialog

from napari_microus.core.io import WRITABLE
from napari_microus.widgets._shared.layers import METADATA_KEY
from napari_microus.widgets._shared.words import tr

if TYPE_CHECKING:
    from napari.layers import Image, Labels

_PROGRAM = Path(__file__).absolute().parents[2]
_NOT_IN_NAMES = dict.fromkeys(map(ord, '/\\:*?"<>|'))


def suggested_path(layer: Image | Labels) -> str:
    """Return where a layer is best saved: beside its scan's file, under its name.

    What was drawn on a sample that comes with the plugin goes to the user's own folder,
    not into the program's.
    """
    source = layer.metadata.get(METADATA_KEY, {}).get("source", "")
    folder = Path(source).parent
    if _PROGRAM in folder.absolute().parents:
        folder = Path.home()
    name = layer.name.translate(_NOT_IN_NAMES)
    return str(folder / f"{name}{WRITABLE[0]}")


def ask_path(layer: Image | Labels) -> str:
    """Return the path that the user names, "" where they change their mind.

    The dialog asks before a file is replaced.
    """
    from napari.layers import Labels

    is_labels = isinstance(layer, Labels)
    suffixes = [s for s in WRITABLE if is_labels or s != ".seg.nrrd"]
    path, _ = QFileDialog.getSaveFileName(
        None,
        tr("Save {layer}").format(layer=layer.name),
        suggested_path(layer),
        ";;".join(f"*{suffix}" for suffix in suffixes),
    )
    return str(path)


def save(layer: Image | Labels, path: str) -> str:
    """Write a layer, with its provenance if it is ours, and return the path written.

    Raises
    ------
    MicroUSError
        If the layer is no mask or scan, or the file cannot be written.
    """
    from napari.layers import Labels

    from napari_microus.widgets._shared.writing import write_image, write_labels

    write = write_labels if isinstance(layer, Labels) else write_image
    data, attributes, _ = layer.as_layer_data_tuple()
    (written,) = write(path, data, attributes)
    return written
