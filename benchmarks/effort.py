"""How much work it is to bring held-out frames to a DSC of 0.95, three ways.

    python benchmarks/effort.py real_study fold0/model fold1/model ... [--dsc 0.95]
        [--baselines]

A scripted user works on every held-out frame that shows a gland, against outline 1:
traces it from nothing and fills it; repairs our mask with a brush, the largest error
first; or clicks in the middle of the largest error (`core.edit.clicks`), after a box
where our mask is empty. Actions are
counted, and seconds by the keystroke-level model [1]_: key 0.28, point 1.1, press or
release 0.1, mental step 1.35, drawing 0.9 a straight piece + 0.16 a centimetre, with
the frame shown 25 cm wide. Nobody was timed.

With ``--baselines`` the same user clicks for two methods that look at the image: random
walker [2]_ and geodesic distance. Both get our mask too: its inside and its outside,
a tenth of its diameter away from the outline, and a disc about each click, are seeds.

.. [1] Card, Moran, Newell, "The keystroke-level model for user performance time with
   interactive systems", Commun. ACM 23(7), 1980.
.. [2] Grady, "Random walks for image segmentation", IEEE Trans. Pattern Anal. Mach.
   Intell. 28(11), 2006.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from skimage.graph import MCP_Geometric
from skimage.segmentation import random_walker

from napari_microus.core.edit.clicks import Click, apply_box, apply_clicks
from napari_microus.core.edit.curve import handles_of, outline_of
from napari_microus.core.events import drain
from napari_microus.core.library import read_model
from napari_microus.core.metrics import dice
from napari_microus.core.predict import predict
from napari_microus.core.study import Study

if TYPE_CHECKING:
    from collections.abc import Callable

KEY, POINT, PRESS, MENTAL = 0.28, 1.1, 0.1, 1.35
PIECE, CENTIMETRE = 0.9, 0.16
WIDTH_CM = 25.0
MOST = 20  # actions at one frame


def largest_error(mask: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return the largest piece of what is wrong, and whether it is of the gland."""
    found = []
    for wrong, is_missing in ((truth & ~mask, True), (mask & ~truth, False)):
        pieces, count = ndimage.label(wrong)
        if count:
            sizes = np.bincount(pieces.ravel())[1:]
            found.append((sizes.max(), pieces == 1 + sizes.argmax(), is_missing))
    _, piece, is_missing = max(found, key=lambda entry: entry[0])
    return piece, is_missing


def middle(piece: np.ndarray) -> tuple[float, float]:
    distance = ndimage.distance_transform_edt(np.pad(piece, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(distance.argmax(), piece.shape)
    return float(row), float(column)


def trace(truth: np.ndarray) -> tuple[int, float]:
    """One stroke round the gland and one fill."""
    outline = outline_of(truth)
    steps = np.linalg.norm(np.diff(outline, axis=0, append=outline[:1]), axis=1)
    length = steps.sum() * WIDTH_CM / truth.shape[1]
    pieces = len(handles_of(truth))
    drawing = PIECE * pieces + CENTIMETRE * length
    return 3, MENTAL + POINT + 2 * PRESS + drawing + KEY + POINT + 2 * PRESS


def brush(mask: np.ndarray, truth: np.ndarray, goal: float) -> tuple[int, float]:
    """A stroke along each error, as wide as the error, the largest first."""
    mask, actions, seconds = mask.copy(), 0, MENTAL
    while dice(mask, truth) < goal and actions < MOST:
        piece, is_missing = largest_error(mask, truth)
        rows, columns = np.nonzero(piece)
        length = float(np.hypot(np.ptp(rows), np.ptp(columns)))
        length *= WIDTH_CM / truth.shape[1]
        # A brush of another size or the eraser is a key away.
        seconds += KEY + POINT + 2 * PRESS
        seconds += PIECE * max(1, round(length / 2)) + CENTIMETRE * length
        mask[piece] = is_missing
        actions += 1
    return actions, seconds + KEY


def clicks(mask: np.ndarray, truth: np.ndarray, goal: float) -> tuple[int, float]:
    """Clicks in the middle of the largest error, then the key that approves.

    Where our mask is empty, the first action is a box round the gland.
    """
    mask, done, actions, seconds = mask.copy(), [], 0, MENTAL + KEY
    if not mask.any():
        rows, columns = np.nonzero(truth)
        low, high = (rows.min(), columns.min()), (rows.max(), columns.max())
        mask = apply_box(mask, low, high)
        actions, seconds = 1, seconds + KEY + 2 * (POINT + PRESS)
    while dice(mask, truth) < goal and actions < MOST:
        piece, is_missing = largest_error(mask, truth)
        done.append(Click(*middle(piece), is_missing))
        mask = apply_clicks(mask, done)
        actions, seconds = actions + 1, seconds + POINT + 2 * PRESS
    return actions, seconds


def seeds(mask: np.ndarray, done: list[Click]) -> np.ndarray:
    """Return 1 where the gland is taken for granted, 2 outside, 0 between."""
    margin = 0.1 * np.sqrt(4 * mask.sum() / np.pi)
    found = np.zeros(mask.shape, dtype=np.uint8)
    found[ndimage.distance_transform_edt(mask) > margin] = 1
    found[ndimage.distance_transform_edt(~mask) > margin] = 2
    rows, columns = np.indices(mask.shape)
    for click in done:
        near = np.hypot(rows - click.row, columns - click.column) <= 0.2 * margin
        found[near] = 1 if click.is_inside else 2
    return found


def walk(frame: np.ndarray, mask: np.ndarray, done: list[Click]) -> np.ndarray:
    """Random walker between the seeds."""
    image = ndimage.gaussian_filter(frame.astype(float), 1) / 255
    return random_walker(image, seeds(mask, done), beta=130, mode="cg_j") == 1


def geodesic(frame: np.ndarray, mask: np.ndarray, done: list[Click]) -> np.ndarray:
    """Nearest seed by a way that costs more across edges."""
    image = ndimage.gaussian_filter(frame.astype(float), 1.5)
    cost = 1 + 0.5 * np.hypot(*np.gradient(image))
    found = seeds(mask, done)
    ways = [MCP_Geometric(cost).find_costs(np.argwhere(found == k))[0] for k in (1, 2)]
    return ways[0] < ways[1]


def by_image(
    method: Callable[..., np.ndarray],
    frame: np.ndarray,
    mask: np.ndarray,
    truth: np.ndarray,
    goal: float,
) -> tuple[int, float]:
    """As `clicks`, with a method that looks at the image."""
    now, done = mask, []
    while dice(now, truth) < goal and len(done) < MOST:
        piece, is_missing = largest_error(now, truth)
        done.append(Click(*middle(piece), is_missing))
        now = method(frame, mask, done)
    return len(done), MENTAL + len(done) * (POINT + 2 * PRESS) + KEY


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", type=Path)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--dsc", type=float, default=0.95)
    parser.add_argument("--baselines", action="store_true")
    arguments = parser.parse_args()
    study = Study.open(arguments.study)
    rows: dict[str, list[tuple[int, float]]] = {"trace": [], "brush": [], "clicks": []}
    if arguments.baselines:
        rows |= {"random walker": [], "geodesic": []}
    for fold, path in enumerate(arguments.models):
        model = read_model(path)
        for case in study.used:
            if case.fold != fold:
                continue
            scan, one, _ = study.read(case)
            masks = drain(predict(model, scan, device="cpu")).mask.array == 1
            for frame, mask, truth in zip(
                scan.array, masks, one.array == 1, strict=True
            ):
                if not truth.any():
                    continue
                rows["trace"].append(trace(truth))
                rows["brush"].append(brush(mask, truth, arguments.dsc))
                rows["clicks"].append(clicks(mask, truth, arguments.dsc))
                if arguments.baselines:
                    for way, method in (
                        ("random walker", walk),
                        ("geodesic", geodesic),
                    ):
                        done = by_image(method, frame, mask, truth, arguments.dsc)
                        rows[way].append(done)
    print("| way | frames | actions a frame | seconds a frame | of trace | of brush |")
    print("|---|---|---|---|---|---|")
    means = {way: np.mean(values, axis=0) for way, values in rows.items()}
    for way, (actions, seconds) in means.items():
        print(
            f"| {way} | {len(rows[way])} | {actions:.2f} | {seconds:.1f} | "
            f"{seconds / means['trace'][1]:.2f} | {seconds / means['brush'][1]:.2f} |"
        )
    for way in rows.keys() - {"trace"}:
        counts = np.array(rows[way])[:, 0]
        short = (counts >= MOST).sum()
        print(f"{way}: most {counts.max():.0f}, {short} frames not reached by {MOST}")


if __name__ == "__main__":
    main()
