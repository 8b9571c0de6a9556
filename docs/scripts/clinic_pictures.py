"""Make the pictures of docs/clinic.md: from a scan without a size to its report.

First pictures get their size by a ruler. Then a DICOM film is opened, segmented,
corrected with the brush, measured, reported, exported and saved as a case; the window
is closed, and the case and the DICOM Segmentation are opened again.

Usage: xvfb-run -a -s "-screen 0 1366x768x24" python docs/scripts/clinic_pictures.py
Needs the bundled model.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import napari
import numpy as np
import pydicom
from _window import Hand, click, settle
from PIL import Image
from pydicom.data import get_testdata_file
from qtpy.QtCore import Qt
from qtpy.QtGui import QDesktopServices
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


def film_of(scan, path):
    """Write frames as a machine does: tissue in a larger picture, with its size."""
    margin = ((0, 0), (40, 8), (60, 20))
    screen = np.pad(scan.array, margin)
    screen[:, 10:14, 10:200] = 255  # where a machine writes names
    rows, columns = scan.shape[1:]
    ds = pydicom.dcmread(get_testdata_file("examples_ybr_color.dcm"))
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.SamplesPerPixel = 1
    ds.NumberOfFrames, ds.Rows, ds.Columns = screen.shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8, 8, 7
    ds.PatientName, ds.PatientID = "Doe^John", "4711"
    ds.FrameTime = "80"
    region = pydicom.Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 2
    region.RegionLocationMinY0, region.RegionLocationMaxY1 = 40, 40 + rows - 1
    region.RegionLocationMinX0, region.RegionLocationMaxX1 = 60, 60 + columns - 1
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX = region.PhysicalDeltaY = MM / 10  # cm
    ds.SequenceOfUltrasoundRegions = [region]
    ds.PixelData = screen.tobytes() + b"\0" * (screen.size % 2)
    ds.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    pydicom.dcmwrite(path, ds, enforce_file_format=True)


def through_the_clinic(made):
    path = made / "loop.dcm"
    film_of(read_sweep().scan, path)
    viewer, dock = open_window(path)
    panel, results = dock.properties, dock.results
    print("DICOM:", panel.summary.text(), viewer.layers[0].data.shape)
    panel.section.expand(animate=False)
    panel.sweep.setCurrentIndex(panel.sweep.findData("rotational"))
    panel.axis.setCurrentIndex(panel.axis.findData("columns"))
    type_into(panel.axis_at, -10)
    type_into(panel.angles, "120")
    click(panel.apply_button)
    panel.section.collapse(animate=False)
    dock.form.probability.setChecked(True)
    click(dock.run_button)
    settle(lambda: not dock.is_running)
    settle(lambda: "mL" in dock.volume.text())
    before = dock.volume.text()
    layer = dock.readout.layer
    frame = int(viewer.dims.current_step[0])
    layer.mode = "paint"
    layer.brush_size = 30
    rows, columns = layer.data.shape[1:]
    hand = Hand(viewer, layer, frame)
    hand.drag([(rows * 0.85, columns * t) for t in (0.3, 0.4, 0.5)])
    settle(at_least_s=1)
    type_into(dock.size_box.psa, 6.5)
    print("volume:", before, "after the brush:", dock.volume.text())
    seg, report, case = made / "seg.dcm", made / "report.html", made / "case"
    QDesktopServices.openUrl = lambda url: print("shown:", url.fileName())
    for button, target in (
        (results.export_button, seg),
        (results.report_button, report),
    ):
        results.ask_file = lambda *_, target=target: str(target)
        click(button)
        settle(lambda: not results.is_working)
        print(results.message.text())
    results.ask_case = lambda dialog: answer(dialog, case)
    click(results.save_button)
    settle(lambda: not results.is_working)
    print(results.message.text())
    viewer.screenshot(str(IMAGES / "clinic_results.png"), canvas_only=False)
    drawn = layer.data.copy()
    viewer.close()

    viewer, dock = open_window(seg)
    back = viewer.layers[0]
    print("Segmentation:", type(back).__name__, back.data.shape, int(back.data.sum()))
    dock.results.ask_folder = lambda _: str(case)
    click(dock.results.open_button)
    settle(lambda: not dock.results.is_working)
    print(dock.results.message.text())
    opened = dock.readout.layer
    print("same capsule:", bool((opened.data == drawn).all()), dock.volume.text())
    print("same in DICOM:", int(back.data.sum()) == int((drawn == 1).sum()))
    viewer.close()
    return report


def answer(dialog, case):
    click(dialog.pseudonym_button)
    dialog.note.setPlainText("calcification at the midline")
    dialog.place.setText(str(case))
    return True


if __name__ == "__main__":
    main()
    with tempfile.TemporaryDirectory() as made:
        report = through_the_clinic(Path(made))
        if len(sys.argv) > 1:
            shutil.copy(report, sys.argv[1])
