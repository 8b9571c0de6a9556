"""Where two careful outliners differ on real micro-ultrasound, by place.

    python docs/scripts/dual_outlines.py ../shared/data/micro_us_frames \
        [--study real_study --model fold0/model --fold 0]

Prints Markdown tables and draws docs/images/dual_sectors.png and dual_frame.png. With a
study and a model that was not trained on a fold: whether the model's predicted
difficulty finds where the two differ, on that fold's patients.

Frames: Micro-Ultrasound Prostate Segmentation Dataset, Jiang et al. 2024, Zenodo
10475293, CC-BY-4.0. Outlines: drawn by eye by a general vision model that followed a
written guide, by no clinician, and checked by nobody else.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import imageio.v3 as iio
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from real_study import SPACING_MM, frames_by_patient
from scipy.stats import spearmanr

from napari_microus.core.compare.bland_altman import bland_altman
from napari_microus.core.compare.difficulty import difficulty
from napari_microus.core.compare.frames import compare_frame
from napari_microus.core.compare.place import disagreement_by_place
from napari_microus.core.compare.regions import disputed_regions
from napari_microus.core.disagreement import disagreement_map, disputed
from napari_microus.core.events import drain
from napari_microus.core.library import read_model
from napari_microus.core.predict import predict
from napari_microus.core.statistics import patient_mean
from napari_microus.core.study import Study

IMAGES = Path(__file__).parents[1] / "images"
PIXEL_MM = SPACING_MM[1]
SECTORS = 12


@dataclass
class Frame:
    """One frame that was outlined twice."""

    patient: str
    image: np.ndarray
    one: np.ndarray
    two: np.ndarray

    @property
    def codes(self) -> np.ndarray:
        """The disagreement map of the frame, (1, Y, X)."""
        return disagreement_map(self.one, self.two)[None]


def read_frames(source: Path) -> list[Frame]:
    """Return every frame with two outlines of a gland."""
    frames = []
    for patient, names in frames_by_patient(source).items():
        for name in names:
            path = source / "outlines" / "two" / name
            if not path.exists():
                continue
            one, two = (
                (iio.imread(source / "outlines" / which / name) > 0).astype(np.uint8)
                for which in ("one", "two")
            )
            if one.any() and two.any():
                image = iio.imread(source / "images" / name)
                frames.append(Frame(patient, image, one, two))
    return frames


def stated(values: list[tuple[str, float]], digits: int = 3, **bounds) -> str:
    """Return a mean over patients with its 95 % interval."""
    mean = patient_mean(values, **bounds)
    return f"{mean.mean:.{digits}f} ({mean.low:.{digits}f} to {mean.high:.{digits}f})"


def print_agreement(frames: list[Frame]) -> None:
    """Print how much the two agree."""
    rows = [
        (f.patient, compare_frame(f.one, f.two, (PIXEL_MM, PIXEL_MM))) for f in frames
    ]
    half = [
        compare_frame(f.one, f.two, (PIXEL_MM, PIXEL_MM), tolerance_mm=0.5).surface_dice
        for f in frames
    ]
    print("\n| measure | mean over patients (95 % interval) |\n|---|---|")
    for name, field in (
        ("DSC", "dice"),
        ("HD95, mm", "hd95_mm"),
        ("ASSD, mm", "assd_mm"),
        ("surface Dice at 1 mm", "surface_dice"),
        ("added path at 1 mm, mm", "added_path_mm"),
    ):
        values = [(patient, getattr(row, field)) for patient, row in rows]
        print(f"| {name} | {stated(values, 2 if 'mm' in field else 3)} |")
    values = [(f.patient, v) for f, v in zip(frames, half, strict=True)]
    print(f"| surface Dice at 0.5 mm | {stated(values)} |")
    areas = bland_altman(
        [row.expert_mm2 for _, row in rows],
        [row.nonexpert_mm2 for _, row in rows],
        [patient for patient, _ in rows],
    )
    print(
        f"\nArea, two less one: bias {areas.bias:.0f} mm², limits of agreement "
        f"{areas.lower:.0f} to {areas.upper:.0f} mm²."
    )


def print_places(frames: list[Frame]) -> None:
    """Print which share of the difference lies in each half of the picture."""
    shares: dict[str, list[tuple[str, float]]] = {}
    for frame in frames:
        for place in disagreement_by_place(frame.codes, None)[:4]:
            shares.setdefault(place.place, []).append((frame.patient, place.share))
    print("\n| place | share of a frame's disputed pixels |\n|---|---|")
    for place, values in shares.items():
        print(f"| {place} | {stated(values)} |")


def sector_gaps(frame: Frame) -> np.ndarray:
    """Return the mean gap in mm in each of the sectors, clockwise from the right."""
    shared = (frame.one & frame.two).astype(bool)
    rows, columns = np.nonzero(shared)
    middle = rows.mean(), columns.mean()
    where = np.nonzero(disputed(frame.codes[0]))
    angles = np.arctan2(where[0] - middle[0], where[1] - middle[1])
    sector = (angles % (2 * np.pi) * SECTORS / (2 * np.pi)).astype(int) % SECTORS
    area = np.bincount(sector, minlength=SECTORS) * PIXEL_MM**2
    edge = np.nonzero(shared & ~_eroded(shared))
    angles = np.arctan2(edge[0] - middle[0], edge[1] - middle[1])
    sector = (angles % (2 * np.pi) * SECTORS / (2 * np.pi)).astype(int) % SECTORS
    length = np.bincount(sector, minlength=SECTORS) * PIXEL_MM
    return area / np.maximum(length, PIXEL_MM)


def _eroded(mask: np.ndarray) -> np.ndarray:
    wide = np.pad(mask, 1)
    return (
        wide[1:-1, 1:-1]
        & wide[:-2, 1:-1]
        & wide[2:, 1:-1]
        & wide[1:-1, :-2]
        & (wide[1:-1, 2:])
    )


def print_sectors(frames: list[Frame]) -> None:
    """Print and draw the mean gap by direction from the middle of the gland."""
    gaps = np.array([sector_gaps(frame) for frame in frames])
    names = ("right", "lower right", "lower left", "left", "upper left", "upper right")
    means = [
        patient_mean([(f.patient, g) for f, g in zip(frames, gaps[:, k], strict=True)])
        for k in range(SECTORS)
    ]
    print("\n| direction in the picture | mean gap, mm (95 % interval) |\n|---|---|")
    for number, mean in enumerate(means):
        degrees = 360 * number // SECTORS
        name = names[number * len(names) // SECTORS]
        end = degrees + 360 // SECTORS
        print(
            f"| {degrees} to {end}° ({name}) | {mean.mean:.2f} "
            f"({mean.low:.2f} to {mean.high:.2f}) |"
        )
    figure, axes = plt.subplots(subplot_kw={"projection": "polar"}, figsize=(5, 5))
    axes.set_theta_direction(-1)  # as the picture lies, its rows going down
    angle = (np.arange(SECTORS) + 0.5) * 2 * np.pi / SECTORS
    height = [mean.mean for mean in means]
    reach = [
        [mean.mean - mean.low for mean in means],
        [mean.high - mean.mean for mean in means],
    ]
    axes.bar(angle, height, 2 * np.pi / SECTORS * 0.92, color="#56b4e9", yerr=reach)
    axes.set_title("Mean gap between the two outlines, mm\n(95 % interval, patients)")
    figure.savefig(IMAGES / "dual_sectors.png", dpi=110, bbox_inches="tight")


def print_parts(frames: list[Frame]) -> None:
    """Print into how many parts a frame falls, and how much the largest one holds."""
    print(
        "\n| regions | a frame, median | largest one's share, median |\n|---|---|---|"
    )
    for name, stretches in (("connected", False), ("stretches", True)):
        counts, largest = [], []
        for frame in frames:
            regions = drain(
                disputed_regions(frame.codes, SPACING_MM, stretches=stretches)
            )
            pixels = [region.pixels for region in regions]
            counts.append(len(pixels))
            largest.append(max(pixels) / sum(pixels) if pixels else np.nan)
        print(f"| {name} | {np.median(counts):.0f} | {np.nanmedian(largest):.2f} |")


def print_difficulty(study: Study, model_path: Path, fold: int) -> None:
    """Print whether the entropy of a held-out model finds where the two differ."""
    model = read_model(model_path)
    predictor = partial(predict, model, device="cpu")
    rows, hits = [], []
    for case in study.used:
        if case.fold != fold:
            continue
        scan, one, two = study.read(case)
        if two is None:
            continue
        entropy = drain(difficulty(predictor, scan))
        for z in range(len(entropy)):
            masks = [mask.array[z] for mask in (one, two)]
            if not all((mask == 1).any() for mask in masks):
                continue
            # A frame outlined once stands in the study with the same outline twice.
            if (
                not any((mask == 255).any() for mask in masks)
                and (masks[0] != masks[1]).any()
            ):
                frame = Frame(case.patient, scan.array[z], *masks)
                row = compare_frame(*masks, scan.spacing_mm[1:])
                rows.append((case.patient, float(entropy[z].mean()), 1 - row.dice))
                hits.append((case.patient, sector_rank(frame, entropy[z])))
    patients = [patient for patient, _, _ in rows]
    found, real = (np.array([row[k] for row in rows]) for k in (1, 2))
    low, high = bootstrap_rank(patients, found, real)
    print(
        f"\nFold {fold}: {len(rows)} frames outlined twice, {len(set(patients))} "
        "patients. Spearman of a frame's mean entropy with 1 - DSC: "
        f"{spearmanr(found, real).statistic:.2f} ({low:.2f} to {high:.2f}). Of "
        f"a sector's entropy with its gap, inside a frame: {stated(hits, 2)}."
    )


def sector_rank(frame: Frame, entropy: np.ndarray) -> float:
    """Return Spearman's correlation over the sectors of a frame."""
    rows, columns = np.nonzero(frame.one & frame.two)
    middle = rows.mean(), columns.mean()
    grid = np.indices(entropy.shape)
    angles = np.arctan2(grid[0] - middle[0], grid[1] - middle[1])
    sector = (angles % (2 * np.pi) * SECTORS / (2 * np.pi)).astype(int) % SECTORS
    sums = np.bincount(sector.ravel(), entropy.ravel(), SECTORS)
    return float(spearmanr(sums, sector_gaps(frame)).statistic)


def bootstrap_rank(
    patients: list[str], found: np.ndarray, real: np.ndarray, draws: int = 2000
) -> tuple[float, float]:
    """Return a 95 % interval of Spearman's correlation, patients drawn with return."""
    rng = np.random.default_rng(0)
    names = sorted(set(patients))
    rows = {name: np.flatnonzero(np.array(patients) == name) for name in names}
    values = []
    for _ in range(draws):
        chosen = np.concatenate([rows[name] for name in rng.choice(names, len(names))])
        values.append(spearmanr(found[chosen], real[chosen]).statistic)
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(low), float(high)


def draw_frame(frames: list[Frame]) -> None:
    """Draw the frame of median agreement with both outlines and its stretches."""
    scores = [compare_frame(f.one, f.two, (1, 1)).dice for f in frames]
    frame = frames[int(np.argsort(scores)[len(scores) // 4])]
    regions = drain(disputed_regions(frame.codes, SPACING_MM, stretches=True))
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8))
    for axes in (left, right):
        axes.imshow(frame.image, cmap="gray")
        axes.axis("off")
    left.contour(frame.one, [0.5], colors="#56b4e9", linewidths=1.2)
    left.contour(frame.two, [0.5], colors="#e69f00", linewidths=1.2)
    left.set_title("Two outlines of one frame")
    colors = plt.get_cmap("tab20")
    shown = np.zeros((*frame.one.shape, 4))
    for region in regions:
        part = shown[region.box[1:]]
        part[region.mask[0]] = colors(region.number % 20)
    right.imshow(shown)
    right.set_title(f"{len(regions)} stretches to decide")
    figure.tight_layout()
    figure.savefig(IMAGES / "dual_frame.png", dpi=100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("--study", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--fold", type=int, default=0)
    given = parser.parse_args()
    frames = read_frames(given.source)
    patients = {frame.patient for frame in frames}
    print(f"{len(frames)} frames of {len(patients)} patients with a gland in both.")
    print_agreement(frames)
    print_places(frames)
    print_sectors(frames)
    print_parts(frames)
    draw_frame(frames)
    if given.study is not None:
        print_difficulty(Study.open(given.study), given.model, given.fold)


if __name__ == "__main__":
    main()
