"""Make the picture of docs/volumes.md: three channels of a phantom and a lesion found.

Usage: xvfb-run -a -s "-screen 0 1366x768x24" python docs/scripts/volume_pictures.py LIB
LIB is a library's folder with a model "lesion" of the channels t2w, adc and hbv, as
`train --study` makes it of phantoms by `phantom --lesions`.
"""

import os
import sys
from pathlib import Path

import napari
from _window import click, settle

from napari_microus.core.phantom.lesion import make_lesion_case
from napari_microus.widgets._shared.layers import layer_arguments

IMAGES = Path(__file__).parents[1] / "images"
SEED = 45  # none that was learnt from


def main():
    os.environ["NAPARI_MICROUS_MODELS"] = sys.argv[1]
    case = make_lesion_case(SEED)
    viewer = napari.Viewer()
    viewer.window.resize(1366, 740)
    for name, channel in case.channels.items():
        viewer.add_image(
            channel.array, name=f"phantom_{name}", **layer_arguments(channel)
        )
    slice_ = int(case.lesion.array.sum((1, 2)).argmax())
    viewer.dims.set_current_step(0, slice_)
    _, dock = viewer.window.add_plugin_dock_widget("napari-microus", "Segment capsule")
    settle()
    models = dock.form.model_box
    models.setCurrentIndex(models.findText("lesion"))
    for layer in list(viewer.layers)[1:]:
        layer.visible = False
    settle(at_least_s=2)
    click(dock.run_button)
    settle(lambda: not dock.is_running)
    viewer.reset_view()
    settle(at_least_s=2)
    print(dock.message.text())
    target = IMAGES / "volume_dock.png"
    viewer.screenshot(str(target), canvas_only=False, flash=False)
    viewer.close()


if __name__ == "__main__":
    main()
