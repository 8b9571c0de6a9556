"""All algorithms; imports no Qt, no napari and no Slicer."""

from napari_microus.core._moved import install as _keep_old_names

_keep_old_names()
