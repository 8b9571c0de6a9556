"""Adjudicate the real sweep by mouse and keys, and make the pictures of it.

Usage: xvfb-run -a -s "-screen 0 1366x768x24" python docs/scripts/adjudicate_pictures.py
`adjudicate_dock.png` is the window, `adjudicate_steps.png` a strip of the canvas after
each step. Frames: Jiang et al. 2024, Zenodo 10475293, CC-BY-4.0.
"""

import tempfile
from pathlib import Path

import napari
import numpy as np
from _window import Hand, along, click, settle
from PIL import Image, ImageDraw
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_microus.core.compare.stretches import boundary_between

IMAGES = Path(__file__).parents[1] / "images"


def main():
    viewer = napari.Viewer()
    viewer.window.resize(1366, 768)
    settle()
    viewer.open_sample("napari-microus", "sweep")
    print([layer.name for layer in viewer.layers])
    _, dock = viewer.window.add_plugin_dock_widget(
        "napari-microus", "Compare annotations"
    )
    settle(at_least_s=1)
    click(dock.picker.compare_button)
    settle(lambda: not dock.comparison.is_busy)
    dock.tabs.setCurrentIndex(2)
    tab = dock.regions
    QTest.keyClicks(tab.who, "AB")
    click(tab.start_panel.start_button)
    settle(lambda: tab.shown is not None or tab.resume_panel.isVisible())
    work = tab.shown.work
    steps = []

    def keep(words):
        settle()
        steps.append((words, viewer.screenshot(canvas_only=True, flash=False)))
        message = tab.message.text() or tab.work_panel.place.text()
        print(f"{words} | {work.decided_count} of {len(work.regions)} | {message}")

    keep("First stretch")
    frame = tab.acts.region.frame
    viewer.screenshot(
        str(IMAGES / "adjudicate_dock.png"), canvas_only=False, flash=False
    )
    canvas = viewer.window._qt_viewer.canvas.native
    QTest.keyClick(canvas, Qt.Key.Key_A)
    keep("First annotator (A)")
    QTest.keyClick(canvas, Qt.Key.Key_S)
    keep("Second annotator (S)")
    tab.work_panel.part_section.expand(animate=False)
    tab.work_panel.several_section.expand(animate=False)
    part = tab.work_panel.part
    part.slider.setValue(50)
    keep("In between: preview")
    click(part.between_button)
    keep("In between: set")

    viewer.dims.set_point(0, tab.shown.layer.data_to_world((frame, 0, 0))[0])
    settle()
    viewer.reset_view()
    settle()
    hand = Hand(viewer, tab.shown.layer, frame)
    line = boundary_between(work.codes[frame])
    click(part.tools["along"])
    third = line[: len(line) // 3 : 8]
    hand.drag([tuple(point) for point in third])
    keep("Drag along the contour")
    click(part.tools["brush"])
    wide = next(r for r in work.regions if r.frame == frame and r.number > 3)
    rows, columns = np.nonzero(wide.mask[0])
    row = rows.mean() + wide.box[1].start
    column = columns.mean() + wide.box[2].start
    hand.drag(along((row - 12, column), (row + 12, column)))
    keep("Brush")
    click(part.tools["brush"])
    several = tab.work_panel.several
    several.which.setCurrentIndex(3)
    click(several.preview_button)
    keep("Neighbouring frames: preview")
    print(several.count.text())
    click(several.apply_button)
    several.which.setCurrentIndex(0)
    click(several.preview_button)
    keep("All open regions: preview")
    print(several.count.text())
    click(several.apply_button)
    keep("All decided")
    QTest.keyClick(canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    keep("Ctrl+Z")
    click(tab.work_panel.provenance_check)
    viewer.layers["disagreement"].visible = False
    keep("Who decided each pixel")
    with tempfile.TemporaryDirectory() as folder:
        tab.save(Path(folder) / "adjudicated.nii.gz")
        settle(lambda: tab._worker is None)
        print(tab.message.text())
    strip([step for step in steps if "preview" not in step[0]][:8])
    dock.close_down()
    viewer.close()


def strip(steps, width=330):
    """Write the canvas after each step, four in a row."""
    tiles = []
    for words, picture in steps:
        image = Image.fromarray(np.asarray(picture)).convert("RGB")
        image.thumbnail((width, width))
        tile = Image.new("RGB", (width, image.height + 18), "white")
        tile.paste(image, ((width - image.width) // 2, 18))
        ImageDraw.Draw(tile).text((4, 3), words, fill="black")
        tiles.append(tile)
    height = max(tile.height for tile in tiles)
    rows = -(-len(tiles) // 4)
    sheet = Image.new("RGB", (4 * width, rows * height), "white")
    for number, tile in enumerate(tiles):
        sheet.paste(tile, (number % 4 * width, number // 4 * height))
    sheet.save(IMAGES / "adjudicate_steps.png")


if __name__ == "__main__":
    main()
