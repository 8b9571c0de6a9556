"""Act the five-minute pages in a real window: a picture of each step, and the film.

Usage: xvfb-run -a -s "-screen 0 1366x768x24" python docs/scripts/first_minutes.py
Needs the bundled model; takes some minutes, most of them the training.
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
WIDTH, HEIGHT = 1280, 740
FILM_WIDTH = 920
FRAME = 5
EPOCHS = 5


class Camera:
    """Takes pictures of the window: one file a step, and all of them as a film."""

    def __init__(self, viewer, folder):
        self.viewer, self.folder = viewer, folder
        self.film, self.durations_ms = [], []

    def step(self, name=None, show_ms=1500, at_least_s=0.5):
        """Let the window work, then keep what it shows."""
        from _window import settle
        from PIL import Image

        settle(at_least_s=at_least_s)
        array = self.viewer.screenshot(canvas_only=False, flash=False)
        picture = Image.fromarray(array[..., :3])
        if name:
            picture.save(self.folder / f"{name}.webp", quality=78, method=6)
            print(name, flush=True)
        if show_ms:
            height = round(picture.height * FILM_WIDTH / picture.width)
            size = (FILM_WIDTH, height)
            self.film.append(picture.resize(size, Image.Resampling.LANCZOS))
            self.durations_ms.append(show_ms)

    def write_film(self, path):
        """Write the film as one moving picture."""
        first, *others = self.film
        first.save(
            path,
            save_all=True,
            append_images=others,
            duration=self.durations_ms,
            loop=0,
            quality=60,
            method=6,
        )
        print(path.name, len(self.film), "frames", path.stat().st_size, "bytes")


def only_dock(viewer, name):
    """Open one dock of ours alone, as wide as it likes to be."""
    from _window import settle

    window = viewer.window
    for dock in list(window.dock_widgets.values()):
        if type(dock).__module__.startswith("napari_microus"):
            window.remove_dock_widget(dock)
    _, dock = window.add_plugin_dock_widget("napari-microus", name)
    settle(at_least_s=1.5)
    return dock


def clinician(viewer, camera, folder):
    """Open real frames, segment, correct, approve, save."""
    from _window import Hand, click, settle
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    from napari_microus.core.edit.curve import outline_of

    camera.step("clinician_1_window", 900)
    viewer.open_sample("napari-microus", "sweep")
    for layer in list(viewer.layers)[1:]:
        viewer.layers.remove(layer)
    scan = viewer.layers[0]
    viewer.dims.set_point(0, scan.data_to_world((FRAME, 0, 0))[0])
    dock = only_dock(viewer, "Segment capsule")
    viewer.reset_view()
    camera.step("clinician_2_scan")
    click(dock.run_button)
    settle(lambda: not dock.is_running)
    camera.step("clinician_3_capsule", 1600, at_least_s=1.5)
    for frame in (6, 7, 8, 9, FRAME):
        viewer.dims.set_point(0, scan.data_to_world((frame, 0, 0))[0])
        camera.step(None, 450, at_least_s=0.3)

    dock = only_dock(viewer, "Correct capsule")
    camera.step("clinician_4_correct", 900)
    layer = dock.capsule.layer
    hand = Hand(viewer, layer, FRAME)
    click(dock.click_button)
    for row, column in ((0, 14), (0, -12)):
        outline = outline_of(layer.data[FRAME] == 1)
        edge = outline[(outline[:, 1]).argmax()]
        hand.drag([(edge[0] + row, edge[1] + column)])
        camera.step(None, 900, at_least_s=0.3)
    camera.step("clinician_5_clicked", 600)
    hand.native.setFocus()
    QTest.keyClick(hand.native, Qt.Key.Key_G)
    camera.step("clinician_6_approved", 900)
    save_to(dock, Path("capsule.nii.gz"))
    camera.step("clinician_7_saved", 900)


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
    camera.step("annotator_2_difference", 1600)
    dock.tabs.setCurrentIndex(1)
    camera.step("annotator_3_frames", 1200)
    dock.tabs.setCurrentIndex(2)
    tab = dock.regions
    QTest.keyClicks(tab.who, "AB")
    click(tab.start_panel.start_button)
    settle(lambda: tab.shown is not None)
    camera.step("annotator_4_region", 1200)
    canvas = viewer.window._qt_viewer.canvas.native
    for number, key in enumerate((Qt.Key.Key_A, Qt.Key.Key_S, Qt.Key.Key_A)):
        QTest.keyClick(canvas, key)
        camera.step("annotator_5_decided" if number == 2 else None, 700)
    tab.save(Path("adjudicated.nii.gz"))
    settle(lambda: tab._worker is None)
    camera.step("annotator_6_saved", 900)
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
    camera.step("researcher_2_case", 1300)
    dock.tabs.setCurrentIndex(0)
    settle()
    camera.step("researcher_3_preset", 1300)
    click(dock.start_button)
    settle(lambda: bool(dock.panel.history.epochs))
    seen = 0
    while len(dock.panel.history.epochs) < EPOCHS and dock.panel.is_active:
        settle(at_least_s=0.5)
        if len(dock.panel.history.epochs) > seen:
            seen = len(dock.panel.history.epochs)
            camera.step("researcher_4_curves" if seen == 3 else None, 800)
    settle(lambda: not dock.panel.is_active)
    camera.step("researcher_5_done", 1800)


def main(words):
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        os.chdir(folder)  # so that no picture tells where it was made
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
        if not words:
            camera.write_film(IMAGES / "microus.webp")
        sys.stdout.flush()
        os._exit(0)  # PyTorch's threads may end an interpreter that unwinds


if __name__ == "__main__":
    main(sys.argv[1:])
