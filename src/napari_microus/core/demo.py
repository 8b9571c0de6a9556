"""The main job in one function: scans in, editable capsules and a report out."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_microus.core import colors
from napari_microus.core.events import Progress
from napari_microus.core.files import atomic_write
from napari_microus.core.io import write_mask
from napari_microus.core.metrics import evaluate_case
from napari_microus.core.phantom import make_phantom
from napari_microus.core.pictures import Contour, draw_frame
from napari_microus.core.samples import read_sweep

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    import numpy as np

    from napari_microus.core.events import Event
    from napari_microus.core.phantom import PhantomCase
    from napari_microus.core.predict import Prediction
    from napari_microus.core.samples import SampleSweep

SEED = 8  # of sample_data/
KERNEL_SIZE = 4


@dataclass(frozen=True)
class DemoResult:
    """Real frames and a phantom, with the capsule of each.

    ``sweep``, ``sweep_prediction`` and ``sweep_provenance`` are of the real frames,
    the others of the phantom; ``hard`` is the region between its two annotations.
    """

    sweep: SampleSweep
    sweep_prediction: Prediction
    sweep_provenance: dict[str, Any]
    case: PhantomCase
    hard: np.ndarray
    prediction: Prediction
    provenance: dict[str, Any]
    report: dict[str, Any]

    @property
    def busiest_frame(self) -> int:
        """The frame in which the two annotations differ most."""
        expert, nonexpert = self.case.expert.array, self.case.nonexpert.array
        return int((expert != nonexpert).sum(axis=(1, 2)).argmax())


def run_demo(*, frames: int = 30) -> Generator[Event, None, DemoResult]:
    """Segment real frames and a phantom with the bundled model, and measure both.

    Parameters
    ----------
    frames : int
        Length of the phantom scan.

    Yields
    ------
    Event
        Progress of making the scan and of segmenting it.

    Returns
    -------
    DemoResult
        Report keys: ``dice`` and ``hd95_mm`` (means over the frames in which both
        masks show the gland), ``seconds``, ``frames``, ``model`` of the phantom, and
        under ``real`` those of the real frames, which the model has learnt from.
    """
    from napari_microus.core import library
    from napari_microus.core.compare.network_grid import network_hard_region
    from napari_microus.core.predict import predict
    from napari_microus.core.predict.confidence import to_provenance
    from napari_microus.core.provenance import segmentation_provenance

    model = library.load_model(library.DEFAULT_MODEL)
    sweep = read_sweep()
    sweep_prediction = yield from predict(model, sweep.scan)
    yield Progress(1, 2, "scans", "Making a phantom scan")
    case = make_phantom(SEED, frames=frames)
    hard = network_hard_region(case.expert.array, case.nonexpert.array, KERNEL_SIZE)

    started = time.perf_counter()
    prediction = yield from predict(model, case.scan)
    seconds = time.perf_counter() - started

    made, sweep_made = (
        segmentation_provenance(
            [model], image=image, frames=None, device="auto", settings={}
        )
        | {"confidence": to_provenance(found)}
        for image, found in (("phantom", prediction), ("real frames", sweep_prediction))
    )
    real = evaluate_case(
        sweep_prediction.mask.array, sweep.first.array, sweep.scan.spacing_mm
    )
    scores = evaluate_case(
        prediction.mask.array > 0, case.expert.array > 0, case.scan.spacing_mm
    )
    report = {
        "dice": round(scores.mean.dice, 4),
        "hd95_mm": round(scores.mean.hd95_mm, 3),
        "seconds": round(seconds, 2),
        "frames": frames,
        "model": model.name,
        "scan": f"phantom, seed {SEED}",
        "note": "Synthetic scan; not for clinical use.",
        "real": {
            "dice": round(real.mean.dice, 4),
            "hd95_mm": round(real.mean.hd95_mm, 3),
            "frames": len(sweep.scan.array),
            "note": "Against one outline; the model has learnt from these frames.",
            "attribution": sweep.attribution,
        },
    }
    return DemoResult(
        sweep, sweep_prediction, sweep_made, case, hard, prediction, made, report
    )


def write_demo(result: DemoResult, folder: Path, *, overwrite: bool = False) -> None:
    """Write pictures, capsules and the report.

    ``real.png`` and ``real_capsule.nii.gz`` show the real frames, ``scan.png``,
    ``hard_region.png`` and ``capsule.nii.gz`` the phantom; ``report.json`` has both.

    Raises
    ------
    OutputError
        If a file exists and ``overwrite`` is False, or the folder is not writable.
    """
    frame = result.busiest_frame
    scan = result.case.scan
    expert = Contour(result.case.expert.array[frame], "Expert", colors.EXPERT)
    nonexpert = Contour(
        result.case.nonexpert.array[frame], "Non-expert", colors.NONEXPERT
    )
    capsule = Contour(result.prediction.mask.array[frame], "Model", colors.CAPSULE)

    sweep = result.sweep
    shown = int(result.sweep_prediction.confidence.argmax())
    outline = Contour(sweep.first.array[shown], "Outline", colors.EXPERT)
    found = Contour(result.sweep_prediction.mask.array[shown], "Model", colors.CAPSULE)
    with atomic_write(folder / "real.png", overwrite=overwrite) as path:
        title = f"Real frame {shown + 1} of {len(sweep.scan.array)}"
        draw_frame(path, sweep.scan, shown, [outline, found], title=title)
    write_mask(
        result.sweep_prediction.mask,
        folder / "real_capsule.nii.gz",
        overwrite=overwrite,
        provenance=result.sweep_provenance,
    )
    write_mask(
        result.prediction.mask,
        folder / "capsule.nii.gz",
        overwrite=overwrite,
        provenance=result.provenance,
    )
    with atomic_write(folder / "scan.png", overwrite=overwrite) as path:
        title = f"Phantom scan, frame {frame + 1} of {len(scan.array)}"
        draw_frame(path, scan, frame, [expert, capsule], title=title)
    with atomic_write(folder / "hard_region.png", overwrite=overwrite) as path:
        draw_frame(
            path,
            scan,
            frame,
            [expert, nonexpert],
            region=result.hard[frame],
            region_name=f"Hard region (kernel {KERNEL_SIZE})",
            title="Where the two annotators differ",
        )
    with atomic_write(folder / "report.json", overwrite=overwrite) as path:
        path.write_text(json.dumps(result.report, indent=2) + "\n")
