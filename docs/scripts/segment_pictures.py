"""Make the picture of docs/segment.md: the dock beside a phantom and its capsule.

Usage: xvfb-run -a -s "-screen 0 1600x1000x24" python docs/scripts/segment_pictures.py
Needs the bundled model.
"""

import time
from pathlib import Path

import napari
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_microus.core import library
from napari_microus.core.phantom import make_phantom
from napari_microus.widgets._shared.layers import layer_arguments

IMAGES = Path(__file__).parents[1] / "images"


def settle(condition=lambda: True, at_least_s=0.5):
    """Let the window work until the condition holds."""
    begun = time.monotonic()
    while not condition() or time.monotonic() - begun < at_least_s:
        QApplication.processEvents()
        time.sleep(0.005)


def main():
    library.find_model(library.DEFAULT_MODEL)  # says so where there is none
    case = make_phantom(5)
    viewer = napari.Viewer()
    viewer.window.resize(1400, 840)
    viewer.add_image(case.scan.array, name="scan", **layer_arguments(case.scan))
    viewer.dims.set_current_step(0, len(case.scan.array) // 2)
    _, dock = viewer.window.add_plugin_dock_widget("napari-microus", "Segment capsule")
    settle()
    QTest.mouseClick(dock.run_button, Qt.MouseButton.LeftButton)
    settle(lambda: not dock.is_running)
    viewer.reset_view()
    settle()
    target = IMAGES / "segment_dock.png"
    viewer.screenshot(str(target), canvas_only=False, flash=False)
    viewer.close()


if __name__ == "__main__":
    main()
