"""Show the bundled model on real frames, and measure it on patient 01.

    python docs/scripts/real_frames.py ../shared/data/micro_us_frames

Writes ``real_frames.png`` (twelve patients, every third of those in the index; the
model learnt from all of them but patient 01) and prints DSC and HD95 on the two frames
of patient 01, who is in no training, that have an expert mask.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import imageio.v3 as iio
import numpy as np

from napari_microus.core.library import DEFAULT_MODEL, load_model
from napari_microus.core.metrics import evaluate_case
from napari_microus.core.predict import predict
from napari_microus.core.volume import Volume

# The frames are a 0.27x rendering of 1372 x 962 pixels of 0.033586 mm.
PIXEL_MM = 0.033586 * 1372 / 369
ATTRIBUTION = (
    "Pixels: Micro-Ultrasound Prostate Segmentation Dataset, Jiang et al. 2024, "
    "Zenodo 10475293, CC-BY-4.0. Contours: microus-small, not for clinical use."
)


def read_frame(path: Path) -> Volume:
    """Return one frame as a volume with the rendering's pixel size."""
    return Volume.from_spacing(iio.imread(path)[None], (1.0, PIXEL_MM, PIXEL_MM))


def segment(model, frame: Volume) -> np.ndarray:
    """Return the mask (Y, X) of a one-frame volume."""
    work = predict(model, frame, device="cpu")
    while True:
        try:
            next(work)
        except StopIteration as stop:
            return stop.value.mask.array[0] > 0


def one_frame_per_patient(index: Path) -> list[str]:
    """Return the middle frame's file of every third patient, twelve in all."""
    by_patient: dict[str, list[str]] = {}
    with index.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            by_patient.setdefault(row["patient"], []).append(row["file"])
    patients = sorted(by_patient)[::3][:12]
    return [by_patient[p][len(by_patient[p]) // 2] for p in patients]


def contact_sheet(model, data: Path, output: Path) -> None:
    """Draw the model's contour on twelve frames."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(3, 4, figsize=(16, 9), layout="constrained")
    files = one_frame_per_patient(data / "index.csv")
    for panel, name in zip(axes.flat, files, strict=True):
        frame = read_frame(data / "images" / name)
        panel.imshow(frame.array[0], cmap="gray")
        mask = segment(model, frame)
        if mask.any():
            panel.contour(np.pad(mask, 1)[1:-1, 1:-1], [0.5], colors="#f0e442")
        panel.set_title(Path(name).stem.replace("_", ", "), fontsize=9)
        panel.axis("off")
    figure.supxlabel(ATTRIBUTION, fontsize=8)
    output.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(output, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--output", type=Path, default=Path("real_frames.png"))
    arguments = parser.parse_args()
    model = load_model(arguments.model)
    for path in sorted((arguments.data / "expert_masks_low_resolution").glob("*.png")):
        frame = read_frame(arguments.data / "images" / path.name)
        expert = iio.imread(path) > 0
        case = evaluate_case(
            segment(model, frame)[None], expert[None], frame.spacing_mm
        )
        print(f"{path.stem}: {case.frames[0]}")
    contact_sheet(model, arguments.data, arguments.output)
    print(f"wrote {arguments.output}")


if __name__ == "__main__":
    main()
