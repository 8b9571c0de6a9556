"""A picture of the frame in which the annotators of a case differ most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_microus.core.colors import BLUE, EXPERT, GREEN, NONEXPERT, VERMILION, YELLOW
from napari_microus.core.compare.cases import hard_region_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_microus.core.compare.case_comparison import CaseComparison
    from napari_microus.core.volume import Volume


def draw_panel(
    masks: Sequence[Volume],
    case: CaseComparison,
    path: Path,
    *,
    kernel_size: int = 4,
    network_size: int | None = None,
    scan: Volume | None = None,
) -> None:
    """Draw the frame in which the annotators differ most, as PNG at ``path``."""
    from napari_microus.core.pictures import Contour, draw_frame

    disputed = np.zeros(len(masks[0].array))
    for other in case.others:
        disputed += np.nan_to_num([row.disagreement_mm2 for row in other.frames])
    frame = int(disputed.argmax())
    colors = (EXPERT, NONEXPERT, GREEN, YELLOW, VERMILION, BLUE)
    names = [case.reference, *(other.file for other in case.others)]
    contours = [
        Contour(mask.array[frame] == 1, name, colors[number % len(colors)])
        for number, (mask, name) in enumerate(zip(masks, names, strict=True))
    ]
    here = [mask.array[frame : frame + 1] for mask in masks]
    hard = hard_region_of(here, kernel_size, network_size)
    if scan is None or scan.shape != masks[0].shape:
        scan = masks[0].like(np.zeros(masks[0].shape, np.uint8))
    draw_frame(
        path,
        scan,
        frame,
        contours,
        region=hard[0],
        region_name="hard region",
        title=f"case {case.case}, frame {frame}",
    )
