"""Act the five-minute pages in a real window: a picture of each step, and the film.

Usage: xvfb-run -a -s "-screen 0 1366x768x24" python docs/scripts/first_minutes.py
Needs the bundled model; takes some minutes, most of them the training. Words after it
name the acts to play (clinician, annotator, researcher); film makes the film alone.
Writes docs/images/start/*.webp and docs/images/microus.webp. Home and settings are a
folder of its own, so that nothing of yours is seen or changed.
Frames: Jiang et al. 2024, Zenodo 10475293, CC-BY-4.0.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

IMAGES = Path(__file__).resolve().parents[1] / "images"
WIDTH, HEIGHT = 1366, 740
FILM_WIDTH = 920
SHOW_MS = 1400
FRAME = 5
EPOCHS = 5


class Camera:
    """Takes a picture of the window for each step."""

    def __init__(self, viewer, folder):
        self.viewer, self.folder = viewer, folder

    def step(self, name, at_least_s=0.5):
        """Let the window work, then keep what it shows."""
        from _window import settle
        from PIL import Image

        settle(at_least_s=at_least_s)
        array = self.viewer.screenshot(canvas_only=False, flash=False)
        target = self.folder / f"{name}.webp"
        Image.fromarray(array[..., :3]).save(target, quality=78, method=6)
        print(name, flush=True)


def write_film():
    """Put the steps' pictures, act after act, into one moving picture."""
    from PIL import Image

    paths = [
        path
        for act in ("clinician", "annotator", "researcher")
        for path in sorted((IMAGES / "start").glob(f"{act}_*.webp"))
    ]
    pictures = []
    for path in paths:
        picture = Image.open(path).convert("RGB")
        size = FILM_WIDTH, round(picture.height * FILM_WIDTH / picture.width)
        pictures.append(picture.resize(size, Image.Resampling.LANCZOS))
    target = IMAGES / "microus.webp"
    first, *others = pictures
    options = {"duration": SHOW_MS, "loop": 0, "quality": 62, "method": 4}
    first.save(target, save_all=True, append_images=others, **options)
    print(target.name, len(pictures), "frames", target.stat().st_size, "bytes")


def only_dock(viewer, name):
    """Open one dock of ours alone, as wide as it likes to be."""
    from _window import settle

    window = viewer.window
    for dock in list(window.dock_widgets.values()):
        if type(dock).__module__.startswith("napari_microus"):
            window.remove_dock_widget(dock)
    _, dock = window.add_plugin_dock_widget("napari-microus", name)
    settle(at_least_s=1.5)
    for other in list(window.dock_widgets.values()):
        if type(other).__module__.startswith("napari_microus.widgets.welcome"):
            window.remove_dock_widget(other)
    settle()
    return dock


def clinician(viewer, camera, folder):
    """Open real frames, segment, correct, approve, save."""
    from _window import Hand, click, settle
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    camera.step("clinician_1_window")
    dock = only_dock(viewer, "Segment capsule")
    click(next(b for b in dock.empty.buttons if b.text() == "Try a real scan"))
    scan = viewer.layers[0]
    viewer.dims.set_point(0, scan.data_to_world((FRAME, 0, 0))[0])
    viewer.reset_view()
    camera.step("clinician_2_scan")
    click(dock.run_button)
    settle(lambda: not dock.is_running)
    camera.step("clinician_3_capsule", at_least_s=1.5)
    dock = only_dock(viewer, "Correct capsule")
    camera.step("clinician_4_correct")
    layer = dock.capsule.layer
    hand = Hand(viewer, layer, FRAME)
    click(dock.click_button)
    drawn_by_eye = viewer.layers["outline 1"].data[FRAME] == 1
    for _ in range(2):
        hand.drag([widest_gap(layer.data[FRAME] == 1, drawn_by_eye)])
    camera.step("clinician_5_clicked")
    hand.native.setFocus()
    QTest.keyClick(hand.native, Qt.Key.Key_G)
    camera.step("clinician_6_approved")
    save_to(dock, Path("capsule.nii.gz"))
    camera.step("clinician_7_saved")


def widest_gap(drawn, wanted):
    """Return the pixel of the difference that lies deepest in it."""
    from scipy.ndimage import distance_transform_edt

    depth = distance_transform_edt(drawn != wanted)
    return tuple(int(part) for part in divmod(int(depth.argmax()), depth.shape[1]))


def save_to(dock, path):
    """Press the button that saves, and answer its dialog with a path."""
    from unittest import mock

    from _window import click, settle
    from qtpy.QtWidgets import QFileDialog

    answer = (str(path), "")
    with mock.patch.object(QFileDialog, "getSaveFileName", return_value=answer):
        click(dock.save_button)
        settle()


def annotator(viewer, camera, folder):
    """Lay two outlines of the same frames over each other, and adjudicate."""
    from _window import click, settle
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    viewer.layers.clear()
    viewer.open_sample("napari-microus", "sweep")
    viewer.dims.set_point(0, viewer.layers[0].data_to_world((FRAME, 0, 0))[0])
    dock = only_dock(viewer, "Compare annotations")
    viewer.reset_view()
    camera.step("annotator_1_outlines")
    click(dock.picker.compare_button)
    settle(lambda: not dock.comparison.is_busy and not dock.frames.is_measuring)
    camera.step("annotator_2_difference")
    dock.tabs.setCurrentIndex(1)
    camera.step("annotator_3_frames")
    dock.tabs.setCurrentIndex(2)
    tab = dock.regions
    QTest.keyClicks(tab.who, "AB")
    click(tab.start_panel.start_button)
    settle(lambda: tab.shown is not None)
    camera.step("annotator_4_region")
    canvas = viewer.window._qt_viewer.canvas.native
    for key in (Qt.Key.Key_A, Qt.Key.Key_S, Qt.Key.Key_A):
        QTest.keyClick(canvas, key)
        settle()
    camera.step("annotator_5_decided")
    tab.save(Path("adjudicated.nii.gz"))
    settle(lambda: tab._worker is None)
    camera.step("annotator_6_saved")
    dock.close_down()


def researcher(viewer, camera, folder):
    """Put the frames into a study with three phantoms, and fine-tune on it."""
    from _window import click, settle

    from napari_microus.core.phantom import make_phantom
    from napari_microus.core.runs.process import command
    from napari_microus.core.runs.workspace import Workspace
    from napari_microus.core.study import Study
    from napari_microus.widgets.train import TrainWidget

    study = Study.create(folder / "my study")
    for seed in (1, 2, 3):
        case = make_phantom(seed, frames=8)
        names = f"phantom{seed}", f"P{seed:03d}"
        split = "val" if seed == 3 else "train"
        study.add_case(*names, case.scan, case.expert, case.nonexpert, split=split)
    places = Workspace(folder)
    places.remember(study.folder)

    def few_epochs(words):
        return command(
            [*words, "--set", f"epochs={EPOCHS}", "--set", "early_stop=null"]
        )

    viewer.layers.clear()
    viewer.open_sample("napari-microus", "sweep")
    viewer.dims.set_point(0, viewer.layers[0].data_to_world((FRAME, 0, 0))[0])
    window = viewer.window
    for old in list(window.dock_widgets.values()):
        if type(old).__module__.startswith("napari_microus"):
            window.remove_dock_widget(old)
    dock = TrainWidget(viewer, make_command=few_epochs, workspace=places)
    window.add_dock_widget(dock, name="Train")
    dock.tabs.setCurrentIndex(1)
    settle(at_least_s=1)
    page = dock.study_page
    viewer.reset_view()
    camera.step("researcher_1_study")
    page.form.choose(viewer.layers[0], viewer.layers[1])
    click(page.form.add_button)
    settle(lambda: page._worker is None)
    camera.step("researcher_2_case")
    dock.tabs.setCurrentIndex(0)
    settle()
    camera.step("researcher_3_preset")
    click(dock.start_button)
    settle(lambda: bool(dock.panel.history.epochs))
    seen = 0
    while len(dock.panel.history.epochs) < EPOCHS and dock.panel.is_active:
        settle(at_least_s=0.5)
        if len(dock.panel.history.epochs) > seen:
            seen = len(dock.panel.history.epochs)
            if seen == 3:
                camera.step("researcher_4_curves")
    settle(lambda: not dock.panel.is_active)
    camera.step("researcher_5_done")


def main(words):
    if words == ["film"]:
        write_film()
        return
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        os.chdir(folder)  # so that no picture holds where it was made
        os.environ["NAPARI_MICROUS_MODELS"] = str(folder / "models")
        for name in ("CONFIG", "DATA", "STATE", "CACHE"):
            os.environ[f"XDG_{name}_HOME"] = str(folder / name.lower())
        import napari
        from _window import settle

        from napari_microus.core import library

        library.find_model(library.DEFAULT_MODEL)  # says so where there is none
        (IMAGES / "start").mkdir(exist_ok=True)
        viewer = napari.Viewer()
        viewer.window.resize(WIDTH, HEIGHT)
        settle(at_least_s=1)
        camera = Camera(viewer, IMAGES / "start")
        for act in (clinician, annotator, researcher):
            if not words or act.__name__ in words:
                act(viewer, camera, folder)
        write_film()
        sys.stdout.flush()
        os._exit(0)  # PyTorch's threads may end an interpreter that unwinds


if __name__ == "__main__":
    main(sys.argv[1:])
