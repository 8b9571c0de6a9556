"""Draw the picture of the *Batch* dock: a folder of phantoms, segmented by it.

Usage: xvfb-run -a -s "-screen 0 1600x1000x24" python docs/scripts/batch_pictures.py
Needs the bundled model. Takes a minute or two.
"""

import sys
import tempfile
from pathlib import Path

import napari
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

sys.path.insert(0, str(Path(__file__).parent))
from _window import click, settle

from napari_microus.core.io import write_mask, write_volume
from napari_microus.core.phantom import make_phantom

IMAGES = Path(__file__).parents[1] / "images"


def write_scans(folder):
    """Two days of scans, a mask beside one, and a file that was cut short."""
    for seed, name in ((3, "day1/scan 1"), (4, "day1/scan 2"), (5, "day2/scan 1")):
        case = make_phantom(seed, frames=12)
        write_volume(case.scan, folder / f"{name}.nii.gz")
    write_mask(case.expert, folder / "day2" / "scan 1_mask.nii.gz")
    whole = (folder / "day1" / "scan 1.nii.gz").read_bytes()
    (folder / "day2" / "scan 2.nii.gz").write_bytes(whole[: len(whole) // 2])


def main(target=IMAGES / "batch_dock.png"):
    """Segment a folder in the dock, open a scan of it, and draw the window."""
    folder = Path(tempfile.mkdtemp()) / "scans"
    write_scans(folder)
    viewer = napari.Viewer()
    viewer.window.resize(1400, 840)
    _, dock = viewer.window.add_plugin_dock_widget("napari-microus", "Batch")
    settle()
    dock.form.recursive.setChecked(True)
    dock.form.choose(folder)
    settle(lambda: dock.run_button.isEnabled())
    click(dock.run_button)
    settle(lambda: not dock.is_running)
    row = dock.table.visualItemRect(dock.table.topLevelItem(0)).center()
    QTest.mouseClick(dock.table.viewport(), Qt.MouseButton.LeftButton, pos=row)
    QTest.mouseDClick(dock.table.viewport(), Qt.MouseButton.LeftButton, pos=row)
    settle(lambda: len(viewer.layers) == 2)
    dock.table.setCurrentItem(dock.table.topLevelItem(3))
    viewer.reset_view()
    settle()
    viewer.screenshot(str(target), canvas_only=False, flash=False)
    print(dock.message.text(), folder, sep="\n")
    viewer.close()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
