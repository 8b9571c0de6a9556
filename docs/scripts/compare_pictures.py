"""Make the pictures of docs/compare.md: the dock over a phantom with two annotators.

Usage: xvfb-run -a -s "-screen 0 1600x1000x24" python docs/scripts/compare_pictures.py
Words after it name the pictures to make: `dock`, `queue`; none makes all.
"""

import sys
import tempfile
from pathlib import Path

import napari
from _window import click, settle

from napari_microus.core.io import write_mask, write_volume
from napari_microus.core.phantom import make_phantom
from napari_microus.widgets._shared.layers import layer_arguments
from napari_microus.widgets.compare import CompareWidget

IMAGES = Path(__file__).parents[1] / "images"


def take(viewer, name):
    settle()
    viewer.screenshot(str(IMAGES / name), canvas_only=False, flash=False)


def take_dock():
    case = make_phantom(5, frames=16)
    viewer = napari.Viewer()
    viewer.window.resize(1400, 860)
    viewer.add_image(case.scan.array, name="scan", **layer_arguments(case.scan))
    for name, mask in (("expert", case.expert), ("non-expert", case.nonexpert)):
        array = mask.array.astype("uint8")
        viewer.add_labels(array, name=name, **layer_arguments(mask))
    with tempfile.TemporaryDirectory() as folder:
        dock = CompareWidget(viewer, journal_folder=Path(folder))
        area = viewer.window.add_dock_widget(dock, name="Compare annotations")
        area.setFixedWidth(410)
        viewer.dims.set_current_step(0, 8)
        settle()
        viewer.reset_view()
        click(dock.picker.compare_button)
        settle(lambda: not dock.comparison.is_busy and not dock.frames.is_measuring)
        take(viewer, "compare_difference.png")
        dock.tabs.setCurrentIndex(1)
        take(viewer, "compare_frames.png")
        dock.tabs.setCurrentIndex(2)
        dock.regions.who.setText("AB")
        dock.regions.start_panel.smallest.setValue(20)
        click(dock.regions.start_panel.start_button)
        settle(lambda: dock.regions.shown is not None)
        click(dock.regions.work_panel.buttons["expert"])
        click(dock.regions.work_panel.buttons["nonexpert"])
        take(viewer, "compare_settle.png")
        dock.close_down()
    viewer.close()


def write_cases(folder):
    """Write six phantoms with two annotators, one of whom has not drawn the last."""
    for name in ("scans", "expert", "student"):
        (folder / name).mkdir()
    for number in range(1, 7):
        case = make_phantom(number, frames=8)
        write_volume(case.scan, folder / "scans" / f"scan_{number:02}.nii.gz")
        write_mask(case.expert, folder / "expert" / f"expert_{number:02}.nii.gz")
        if number < 6:
            student = folder / "student" / f"student_{number:02}.nii.gz"
            write_mask(case.nonexpert, student)


def take_queue():
    """Work through a list: one case decided, one begun, the third open."""
    viewer = napari.Viewer()
    viewer.window.resize(1366, 768)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "prostate study"
        folder.mkdir()
        write_cases(folder)
        dock = CompareWidget(viewer, journal_folder=Path(place) / "journals")
        area = viewer.window.add_dock_widget(dock, name="Compare annotations")
        area.setFixedWidth(410)
        dock.tabs.setCurrentIndex(4)
        panel, regions = dock.queue.panel, dock.regions
        regions.start_panel.smallest.setValue(20)
        panel.choose(folder)
        settle(lambda: panel.next_button.isEnabled())
        click(panel.next_button)
        settle(lambda: panel.current is not None)
        click(regions.start_panel.start_button)
        for who, decisions, after in (("AB", 1000, "2"), ("CD", 5, "3")):
            settle(lambda: regions.shown is not None and not regions.is_working)
            regions.who.setText(who)
            for _ in regions.shown.work.regions[:decisions]:
                regions.acts.accept_first()
            dock.tabs.setCurrentIndex(4)
            click(panel.save_button)
            settle(lambda after=after: panel.current.case == after)
        settle(lambda: regions.shown is not None and not regions.is_working)
        dock.tabs.setCurrentIndex(4)
        settle()
        viewer.reset_view()
        print(panel.message.text())
        take(viewer, "compare_cases.png")
        dock.close_down()
    viewer.close()


def main():
    IMAGES.mkdir(exist_ok=True)
    parts = {"dock": take_dock, "queue": take_queue}
    for name in sys.argv[1:] or parts:
        parts[name]()


if __name__ == "__main__":
    main()
