"""napari docks over `napari_microus.core`."""
