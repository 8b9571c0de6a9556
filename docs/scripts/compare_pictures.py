"""Make the pictures of docs/compare.md: the dock over a phantom with two annotators.

Usage: xvfb-run -a -s "-screen 0 1600x1000x24" python docs/scripts/compare_pictures.py
"""

import tempfile
from pathlib import Path

import napari
from _window import click, settle

from napari_microus.core.phantom import make_phantom
from napari_microus.widgets._shared.layers import layer_arguments
from napari_microus.widgets.compare import CompareWidget

IMAGES = Path(__file__).parents[1] / "images"


def take(viewer, name):
    settle()
    viewer.screenshot(str(IMAGES / name), canvas_only=False, flash=False)


def main():
    IMAGES.mkdir(exist_ok=True)
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
        settle(lambda: dock.regions.settling is not None)
        click(dock.regions.work_panel.buttons["expert"])
        click(dock.regions.work_panel.buttons["nonexpert"])
        take(viewer, "compare_settle.png")
        dock.close_down()
    viewer.close()


if __name__ == "__main__":
    main()
