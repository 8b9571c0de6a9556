"""The demo's window: real frames and a phantom, their annotations and capsules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel

from napari_microus.core import colors
from napari_microus.widgets._shared.first_use import DEMO_STEPS
from napari_microus.widgets._shared.layers import (
    derived_metadata,
    geometry,
    layer_arguments,
)
from napari_microus.widgets.segment.layers import add_capsule

if TYPE_CHECKING:
    from pathlib import Path

    from napari import Viewer
    from napari.layers import Image, Labels
    from numpy.typing import NDArray

    from napari_microus.core.demo import DemoResult

STEPS = """
<ol style="margin-left: -18px">
<li><b>Look.</b> Move the slider under the picture from 0 to 9: ten real frames.
Yellow is the model's capsule, blue an outline. The hidden layers are a longer scan, a
phantom, with two annotators and, in pink, where they differ: click their eyes.</li>
<li><b>Correct.</b> The layer <i>capsule</i> is selected: press 2 and paint, 1 and
erase, Ctrl+Z to undo; or <i>Plugins › MicroUS › Correct capsule</i>: click where the
outline is wrong. The area on the right follows.</li>
<li><b>Save.</b> <i>Save segmentation (NIfTI, NRRD)…</i> below: the file lies exactly
over the scan.</li>
</ol>
<p>Frames: Jiang et al. 2024, Zenodo 10475293, CC-BY-4.0. Outline by a vision model.
Not for clinical use.</p>
"""


def open_demo(result: DemoResult) -> None:
    """Show the demo in napari and stay until the window is closed."""
    import napari

    fill_viewer(napari.Viewer(title="napari-microus demo"), result)
    napari.run()


def picture_demo(result: DemoResult, path: Path, *, overwrite: bool = False) -> None:
    """Write a picture of the demo's window."""
    import napari
    from qtpy.QtWidgets import QApplication

    from napari_microus.core.files import atomic_write

    viewer = napari.Viewer(title="napari-microus demo", show=True)
    viewer.window.resize(1560, 940)
    fill_viewer(viewer, result)
    for _ in range(20):  # let the docks find their sizes
        QApplication.processEvents()
    viewer.reset_view()
    with atomic_write(path, overwrite=overwrite) as temporary:
        viewer.screenshot(str(temporary), canvas_only=False, flash=False)
    viewer.close()


def fill_viewer(viewer: Viewer, result: DemoResult) -> None:
    """Add the demo's layers, the *Segment capsule* dock and the three steps."""
    _add_phantom(viewer, result)
    for layer in viewer.layers:
        layer.visible = False
    sweep = result.sweep
    stated = {"attribution": sweep.attribution}
    real = viewer.add_image(
        sweep.scan.array, name="real frames", **layer_arguments(sweep.scan, **stated)
    )
    outline = _add_mask(viewer, sweep.first.array, "outline", colors.EXPERT, real)
    outline.contour = 1
    made = result.sweep_provenance | {"image_id": str(real.unique_id)}
    drawn = result.sweep_prediction.mask.array
    capsule = add_capsule(viewer, real, drawn, made)
    capsule.name = "capsule"
    capsule.contour = 1
    surest = int(result.sweep_prediction.confidence.argmax())
    viewer.dims.set_current_step(0, surest)

    hint = QLabel(STEPS.strip())
    hint.setWordWrap(True)
    hint.setTextFormat(Qt.TextFormat.RichText)
    hint.setContentsMargins(8, 4, 8, 4)
    hint.setAlignment(Qt.AlignmentFlag.AlignTop)
    hint.setFixedHeight(hint.heightForWidth(290) + 30)
    viewer.window.add_dock_widget(hint, name=DEMO_STEPS, area="right")
    viewer.window.add_plugin_dock_widget("napari-microus", "Segment capsule")


def _add_phantom(viewer: Viewer, result: DemoResult) -> None:
    """Add the phantom's layers."""
    case = result.case
    scan = viewer.add_image(
        case.scan.array, name="phantom", **layer_arguments(case.scan)
    )
    for name, mask, color in (
        ("phantom expert", case.expert, colors.EXPERT),
        ("phantom non-expert", case.nonexpert, colors.NONEXPERT),
    ):
        layer = _add_mask(viewer, mask.array, name, color, scan)
        layer.contour = 2
        layer.opacity = 0.9
    hard = _add_mask(
        viewer,
        result.hard.astype("uint8"),
        "phantom hard region",
        colors.HARD_REGION,
        scan,
    )
    hard.opacity = 0.4
    made = result.provenance | {"image_id": str(scan.unique_id)}
    drawn = result.prediction.mask.array
    add_capsule(viewer, scan, drawn, made).name = "phantom capsule"


def _add_mask(
    viewer: Viewer, mask: NDArray[Any], name: str, color: str, scan: Image
) -> Labels:
    return viewer.add_labels(
        mask,
        name=name,
        colormap={1: color, None: "transparent"},
        metadata=derived_metadata(scan),
        **geometry(scan),
    )
