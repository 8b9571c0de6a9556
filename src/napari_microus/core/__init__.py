"""All algorithms; imports no Qt, no napari and no Slicer."""
