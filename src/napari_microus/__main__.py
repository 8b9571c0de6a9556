"""``python -m napari_microus``, the same as ``napari-microus``."""

from napari_microus.cli import main

if __name__ == "__main__":
    main()
