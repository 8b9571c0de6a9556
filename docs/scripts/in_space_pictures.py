"""Make the picture of docs/clinic.md: a sweep and its capsule in 3D.

Usage: xvfb-run -a -s "-screen 0 1600x1000x24" python docs/scripts/in_space_pictures.py
"""

from pathlib import Path

import napari
import numpy as np
from _window import settle

from napari_microus.core import colors
from napari_microus.core.phantom import make_phantom
from napari_microus.core.sweep import Sweep
from napari_microus.widgets._shared.layers import layer_arguments, tint
from napari_microus.widgets.segment.in_space import add_in_space

IMAGES = Path(__file__).parents[1] / "images"

# A probe of 9 mm radius; at the gland's depth its frames are 1.2 mm apart.
ANGLES = np.linspace(-43, 43, 30)


def main():
    case = make_phantom(5)
    sweep = Sweep("rotational", "columns", -9.0, tuple(ANGLES.tolist()))
    viewer = napari.Viewer()
    viewer.window.resize(1400, 840)
    scan = viewer.add_image(case.scan.array, name="scan", **layer_arguments(case.scan))
    mask = viewer.add_labels(
        case.expert.array,
        name="capsule",
        **layer_arguments(case.expert),
        **tint(colors.CAPSULE),
    )
    viewer.dims.set_current_step(0, len(ANGLES) // 2)
    settle()
    worker = add_in_space(viewer, scan, mask, sweep=sweep)
    settle(lambda: not worker.is_running)
    settle()
    target = IMAGES / "clinic_in_space.png"
    viewer.screenshot(str(target), canvas_only=False, flash=False)
    viewer.close()


if __name__ == "__main__":
    main()
