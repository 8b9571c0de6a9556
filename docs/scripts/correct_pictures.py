"""Make the pictures of docs/correct.md: every tool used by the mouse on real frames.

Usage: xvfb-run -a -s "-screen 0 1366x768x24" python docs/scripts/correct_pictures.py
Needs the bundled model. `correct_dock.png` is the window, `correct_steps.png` a strip
of the canvas after each step.
"""

import tempfile
from pathlib import Path

import napari
import numpy as np
from _window import Hand, along, settle
from PIL import Image, ImageDraw
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_microus.core import library
from napari_microus.core.edit.curve import handles_of, outline_of

IMAGES = Path(__file__).parents[1] / "images"
FRAME = 4


def main():
    library.find_model(library.DEFAULT_MODEL)  # says so where there is none
    viewer = napari.Viewer()
    viewer.window.resize(1366, 768)
    settle()
    viewer.open_sample("napari-microus", "sweep")
    for layer in list(viewer.layers)[1:]:
        viewer.layers.remove(layer)
    viewer.dims.set_point(0, viewer.layers[0].data_to_world((FRAME, 0, 0))[0])
    settle()
    add_dock = viewer.window.add_plugin_dock_widget
    _, segment = add_dock("napari-microus", "Segment capsule")
    settle()
    QTest.mouseClick(segment.run_button, Qt.MouseButton.LeftButton)
    settle(lambda: not segment.is_running)
    viewer.window.remove_dock_widget(segment.parent())
    _, dock = add_dock("napari-microus", "Correct capsule")
    settle(at_least_s=1)
    layer = dock.capsule.layer
    hand = Hand(viewer, layer, FRAME)
    steps = []

    def keep(words):
        settle()
        steps.append((words, viewer.screenshot(canvas_only=True, flash=False)))
        print(words, "|", dock.message.text(), "|", int((layer.data[FRAME] == 1).sum()))

    def press(button):
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        settle()

    def outline():
        return outline_of(layer.data[FRAME] == 1)

    keep("The model's capsule")
    right = outline()[outline()[:, 1].argmax()]
    press(dock.click_button)
    hand.drag([(right[0], right[1] + 14)])
    keep("Click beyond it (K)")
    QTest.keyClick(hand.native, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    press(dock.scribble_button)
    bottom = outline()[outline()[:, 0].argmax()]
    hand.drag(along((bottom[0] + 9, bottom[1] - 30), (bottom[0] + 9, bottom[1] + 30)))
    keep("Scribble below it")
    press(dock.nudge_button)
    left = outline()[outline()[:, 1].argmin()]
    hand.drag(along((left[0], left[1] - 20), (left[0], left[1] + 6)))
    keep("Nudge from the left (U)")
    press(dock.box_button)
    low, high = outline().min(axis=0), outline().max(axis=0)
    hand.drag(along(low - 8, high + np.array([4, 12])))
    keep("Box round the gland")
    press(dock.handle_button)
    settle(lambda: dock.handles.probability is not None, 1)
    keep("Handles (H)")
    corners = np.asarray(dock.handles.layer.data[0])[:, -2:]
    which = int(corners[:, 1].argmax())
    hand.drag(
        along(corners[which], corners[which] + np.array([0, 10])),
        Qt.KeyboardModifier.ShiftModifier,
    )
    after = np.asarray(dock.handles.layer.data[0])[:, -2:]
    print("dragged by 10, snapped to", (after[which] - corners[which]).round(1))
    keep("Let go with Shift: snapped")
    press(dock.handle_button)
    print(len(handles_of(layer.data[FRAME] == 1)), "handles")
    hand.native.setFocus()
    QTest.keyClick(hand.native, Qt.Key.Key_G)
    settle()
    print("approved", dock.capsule.review.approved, dock.progress_label.text())
    viewer.screenshot(str(IMAGES / "correct_dock.png"), canvas_only=False, flash=False)
    dock.footer.show_keys()
    settle()
    dock.footer.sheet.grab().save(str(IMAGES / "correct_keys.png"))
    dock.footer.sheet.close()
    strip(steps).save(IMAGES / "correct_steps.png")
    from napari_microus.widgets._shared.closing import ClosingGuard

    guard = viewer.window._qt_window.findChild(ClosingGuard)
    asked = []
    guard.ask = lambda window, layers: asked.append(layers) or "back"
    viewer.window._qt_window.close()
    print("asked about", [one.name for layers in asked for one in layers])
    guard.ask = lambda window, layers: "save"
    with tempfile.TemporaryDirectory() as folder:
        guard.ask_path = lambda layer: f"{folder}/capsule.nii.gz"
        viewer.window._qt_window.close()
        print("saved", sorted(path.name for path in Path(folder).iterdir()))


def strip(steps):
    """Return the canvas after each step, four in a row, with words under each."""
    width, height, room = 340, 250, 22
    rows = -(-len(steps) // 4)
    sheet = Image.new("RGB", (4 * width, rows * (height + room)), "white")
    draw = ImageDraw.Draw(sheet)
    for number, (words, canvas) in enumerate(steps):
        picture = Image.fromarray(canvas[..., :3])
        box = picture.convert("L").point(lambda v: 255 * (v > 30)).getbbox()
        picture = picture.crop(box)
        picture.thumbnail((width - 6, height - 6))
        x, y = number % 4 * width, number // 4 * (height + room)
        sheet.paste(picture, (x + 3, y + 3))
        draw.text((x + 6, y + height), f"{number + 1}. {words}", fill="black")
    return sheet


if __name__ == "__main__":
    main()
