"""The demo's window: a scan, two annotations, their hard region and the capsule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel

from napari_microus.core import colors
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
<li><b>Look.</b> Move the slider under the picture. Yellow is the model's capsule;
blue and orange are two annotators; pink is where they differ.</li>
<li><b>Mend.</b> The layer <i>capsule</i> is selected: press 2 and paint, 1 and
erase, Ctrl+Z to undo. The volume on the right follows.</li>
<li><b>Keep.</b> File &gt; Save selected layers, as <i>.nii.gz</i>: it lies exactly
over the scan.</li>
</ol>
<p>A synthetic scan. Not for clinical use.</p>
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
    case, made = result.case, result.provenance
    scan = viewer.add_image(case.scan.array, name="scan", **layer_arguments(case.scan))
    for name, mask, color in (
        ("expert", case.expert, colors.EXPERT),
        ("non-expert", case.nonexpert, colors.NONEXPERT),
    ):
        layer = _add_mask(viewer, mask.array, name, color, scan)
        layer.contour = 2
        layer.opacity = 0.9
    hard = _add_mask(
        viewer, result.hard.astype("uint8"), "hard region", colors.HARD_REGION, scan
    )
    hard.opacity = 0.4
    made = made | {"image_id": str(scan.unique_id)}
    add_capsule(viewer, scan, result.prediction.mask.array, made).name = "capsule"
    viewer.dims.set_current_step(0, result.busiest_frame)

    hint = QLabel(STEPS.strip())
    hint.setWordWrap(True)
    hint.setTextFormat(Qt.TextFormat.RichText)
    hint.setContentsMargins(8, 4, 8, 4)
    hint.setAlignment(Qt.AlignmentFlag.AlignTop)
    hint.setFixedHeight(hint.heightForWidth(290) + 30)
    viewer.window.add_dock_widget(hint, name="Three steps", area="right")
    viewer.window.add_plugin_dock_widget("napari-microus", "Segment capsule")


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
