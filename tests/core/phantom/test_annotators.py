import numpy as np
import pytest
from scipy.ndimage import binary_erosion, distance_transform_edt

from napari_microus.core.phantom import AnnotatorStyle, PhantomDomain, make_phantom
from napari_microus.core.phantom.anatomy import ANGLES, Outline
from napari_microus.core.phantom.annotators import Annotator

SHAPE = (120, 171)
CIRCLE = Outline(
    centre_mm=(20.0, 12.0),
    radius_mm=np.full(ANGLES, 10, np.float32),
    slope=np.ones(ANGLES, np.float32),
    visibility=np.ones(ANGLES, np.float32),
    size=1.0,
    sphincter=None,
)


def displacements(style, weakness, people=40):
    """Errors in mm of many people on a circle, shape (people, angles)."""
    weakness = np.broadcast_to(np.float32(weakness), (ANGLES,))
    return np.stack(
        [
            Annotator(np.random.default_rng(seed), style).displacement_mm(
                CIRCLE, weakness, 0.2
            )
            for seed in range(people)
        ]
    )


def volume_error(style, seeds=range(6)):
    """Relative difference of the non-expert's volume from the truth."""
    found = []
    for seed in seeds:
        case = make_phantom(seed, frames=5, shape=SHAPE, annotator_style=style)
        truth, drawn = (
            part.array[1:-1].sum() for part in (case.expert, case.nonexpert)
        )
        found.append(drawn / truth - 1.0)
    return np.mean(found)


def test_cautious_draws_small_and_generous_draws_large():
    assert volume_error("cautious") < -0.03
    assert volume_error("generous") > 0.03


def test_hasty_errs_more_than_its_bias():
    error = displacements(AnnotatorStyle.hasty, 0.5)
    assert abs(error.mean()) < 0.35 < error.std()


@pytest.mark.parametrize("style", list(AnnotatorStyle))
def test_errors_are_larger_where_the_capsule_is_weak(style):
    plain, weak = (np.abs(displacements(style, w)).mean() for w in (0.0, 1.0))
    assert weak > 1.8 * plain


@pytest.mark.parametrize("style", list(AnnotatorStyle))
def test_errors_are_smooth_along_the_contour(style):
    error = displacements(style, 0.5)
    step = np.abs(np.diff(error, axis=1)).max()
    # A step of one angle is 0.03 mm of a contour of 10 mm radius.
    assert step < 0.03


def test_errors_change_smoothly_along_the_sweep():
    annotator = Annotator(np.random.default_rng(0), AnnotatorStyle.generous)
    weak = np.full(ANGLES, 0.5, np.float32)
    here, there = (annotator.displacement_mm(CIRCLE, weak, p) for p in (0.0, 0.05))
    assert np.abs(here - there).max() < 0.4
    assert np.abs(here - there).max() > 0


def test_nobody_draws_beyond_the_middle():
    tiny = Outline(
        CIRCLE.centre_mm, CIRCLE.radius_mm * 0.05, *list(vars(CIRCLE).values())[2:]
    )
    annotator = Annotator(np.random.default_rng(1), AnnotatorStyle.cautious)
    error = annotator.displacement_mm(tiny, np.ones(ANGLES, np.float32), 0.0)
    assert (error >= -0.5 * tiny.radius_mm).all()


def test_masks_disagree_most_in_front_at_the_midline():
    """The capsule vanishes there, and nowhere else by more."""
    domain = PhantomDomain(
        midline_loss=1.0, shadows=0, gas=0, calcifications=0, sphincter=0, bladder=0
    )
    front, side = [], []
    for seed in range(12):
        style = list(AnnotatorStyle)[seed % 3]
        case = make_phantom(
            seed, frames=1, shape=SHAPE, domain=domain, annotator_style=style
        )
        truth, drawn = (part.array[0] > 0 for part in (case.expert, case.nonexpert))
        away = distance_transform_edt(drawn) + distance_transform_edt(~drawn) - 0.5
        rows, columns = np.nonzero(truth & ~binary_erosion(truth))
        depth = (rows - rows.min()) / np.ptp(rows)
        inside = (columns > 2) & (columns < SHAPE[1] - 3)
        error = away[rows, columns]
        front.append(error[inside & (depth > 0.8)].mean())
        side.append(error[inside & (depth > 0.2) & (depth < 0.6)].mean())
    assert np.mean(front) > 1.2 * np.mean(side)
