"""Make the pictures of docs/clinic.md: a scan of pictures gets its size in the dock.

Usage: xvfb-run -a -s "-screen 0 1366x768x24" python docs/scripts/clinic_pictures.py
Needs the bundled model.
"""

import tempfile
from pathlib import Path

import napari
from _window import Hand, click, settle
from PIL import Image
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_microus.core.samples import read_sweep

IMAGES = Path(__file__).parents[1] / "images"
MM = 0.05


def export(folder):
    """Write the sample's frames as pictures without a size."""
    scan = read_sweep().scan
    folder.mkdir()
    for number, frame in enumerate(scan.array):
        Image.fromarray(frame).save(folder / f"frame_{number:02}.png")
    return scan


def type_into(box, value):
    box.setFocus()
    box.selectAll()
    QTest.keyClicks(box, f"{value}")
    QTest.keyClick(box, Qt.Key.Key_Return)
    settle()


def open_window(folder):
    viewer = napari.Viewer()
    viewer.window.resize(1366, 768)
    settle()
    viewer.open(str(folder), plugin="napari-microus")
    _, dock = viewer.window.add_plugin_dock_widget("napari-microus", "Segment capsule")
    settle(at_least_s=2)
    return viewer, dock


def main():
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "exported"
        scan = export(folder)
        viewer, dock = open_window(folder)
        image = viewer.layers[0]
        panel = dock.properties
        print(panel.summary.text(), "|", panel.note.text())
        viewer.screenshot(str(IMAGES / "clinic_asks.png"), canvas_only=False)

        click(panel.ruler_button)
        hand = Hand(viewer, image, 0)
        rows, columns = scan.shape[1:]
        middle = columns / 2
        hand.drag([(rows * 0.25, middle), (rows * 0.1, middle), (20, middle)])
        hand.drag([(rows * 0.75, middle), (rows * 0.8, middle), (220, middle)])
        type_into(panel.known, 200 * MM)
        click(panel.take_button)
        print(panel.message.text())
        viewer.screenshot(str(IMAGES / "clinic_ruler.png"), canvas_only=False)
        panel.sweep.setCurrentIndex(panel.sweep.findData("rotational"))
        panel.axis.setCurrentIndex(panel.axis.findData("columns"))
        type_into(panel.axis_at, -10)
        type_into(panel.angles, "-60:60")
        click(panel.apply_button)
        print(panel.summary.text(), "|", panel.message.text())
        print(image.scale, image.units, [f.name for f in folder.glob("*.json")])
        panel.section.collapse(animate=False)
        click(dock.run_button)
        settle(lambda: not dock.is_running)
        settle(lambda: "mL" in dock.volume.text())
        type_into(dock.size_box.psa, 6.5)
        print(dock.area.text(), dock.volume.text(), dock.size_box.method.text())
        print(dock.size_box.density.text())
        viewer.screenshot(str(IMAGES / "clinic_dock.png"), canvas_only=False)
        path = folder.parent / "capsule.nii.gz"
        dock.ask_path = lambda layer: str(path)
        click(dock.save_button)
        viewer.close()

        viewer, dock = open_window(folder)
        viewer.open(str(path), plugin="napari-microus")
        settle()
        scan, mask = viewer.layers
        print("reopened:", dock.properties.summary.text(), scan.scale, mask.scale)
        viewer.close()


main()
