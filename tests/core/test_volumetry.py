"""Volumes of solids that are known, sampled as sweeps."""

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt, map_coordinates

from napari_microus.core.errors import InputError
from napari_microus.core.phantom import make_phantom
from napari_microus.core.sweep import Sweep
from napari_microus.core.volume import Volume
from napari_microus.core.volumetry import (
    ELLIPSOID,
    PLANIMETRY,
    SECTORS,
    ellipsoid_volume,
    mask_volume,
    parallel_volume,
    psa_density,
    rotational_volume,
)

PIXEL_MM = (0.4, 0.3)


def turned(inside, angles_deg, *, at_mm, shape, along="columns"):
    """A mask of frames turned about an axis, and its sweep.

    ``inside(a, y, z)`` returns whether points are in the solid: ``a`` runs along the
    axis, y and z across it.
    """
    sweep = Sweep("rotational", along, at_mm, tuple(angles_deg))
    row, column = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    if along == "columns":
        axial, radius = column * PIXEL_MM[1], row * PIXEL_MM[0] - at_mm
    else:
        axial, radius = row * PIXEL_MM[0], column * PIXEL_MM[1] - at_mm
    frames = [
        inside(axial, radius * np.cos(t), radius * np.sin(t))
        for t in np.deg2rad(angles_deg)
    ]
    volume = Volume.from_spacing(np.array(frames, np.uint8), (1.0, *PIXEL_MM))
    metadata = {"sweep": sweep.to_dict(), "frame_distance": "unknown"}
    return Volume(volume.array, volume.affine, True, metadata)


def ellipsoid(centre, half):
    return lambda *point: (
        sum(((p - c) / h) ** 2 for p, c, h in zip(point, centre, half, strict=True))
        <= 1
    )


ANGLES = np.linspace(-70, 70, 141)


@pytest.mark.parametrize(
    ("half", "centre"),
    [
        ((18, 18, 18), (25, 29, 0)),  # a sphere
        ((22, 14, 19), (27, 27, 4)),  # a gland beside the middle of the sweep
    ],
)
def test_solids_beside_the_axis(half, centre):
    mask = turned(ellipsoid(centre, half), ANGLES, at_mm=-9.0, shape=(110, 190))

    found = mask_volume(mask)

    assert found.method == SECTORS
    assert found.ml == pytest.approx(4 / 3 * np.pi * np.prod(half) / 1000, rel=0.01)


@pytest.mark.parametrize("along", ["rows", "columns"])
@pytest.mark.parametrize("centre", [(30, 0, 0), (30, 6, -4)])
def test_solids_across_the_axis_are_seen_by_half_a_turn(along, centre):
    half = (21, 15, 18)
    angles = np.arange(0, 180, 2.0)
    shape = (220, 200)
    inside = ellipsoid(centre, half)
    mask = turned(inside, angles, at_mm=31.0, shape=shape, along=along)

    found = mask_volume(mask)

    assert found.ml == pytest.approx(4 / 3 * np.pi * np.prod(half) / 1000, rel=0.01)


def test_more_than_half_a_turn_across_the_axis_is_refused():
    mask = turned(
        ellipsoid((30, 0, 0), (15, 15, 15)),
        np.arange(0, 270, 10.0),
        at_mm=31.0,
        shape=(200, 200),
        along="rows",
    )
    with pytest.raises(InputError, match=r"within 180° where outlines lie on both"):
        mask_volume(mask)


def torus(axial, y, z):
    return (axial - 20) ** 2 + (np.hypot(y, z) - 25) ** 2 <= 9**2


@pytest.mark.parametrize(
    ("angles", "turn_deg"),
    [(np.linspace(0, 90, 10), 90), (np.arange(0, 360, 15.0), 360)],
)
def test_torus_by_pappus(angles, turn_deg):
    mask = turned(torus, angles, at_mm=-6.0, shape=(90, 140))

    found = mask_volume(mask)

    truth = np.pi * 9**2 * 25 * np.deg2rad(turn_deg) / 1000
    assert found.ml == pytest.approx(truth, rel=0.01)


def test_a_sphere_in_parallel_frames():
    z, y, x = np.mgrid[:60, :100, :120]
    inside = ((z - 30) * 0.8) ** 2 + ((y - 50) * 0.4) ** 2 + ((x - 60) * 0.3) ** 2
    mask = Volume.from_spacing((inside <= 15**2).astype(np.uint8), (0.8, *PIXEL_MM))

    found = mask_volume(mask)

    assert found.method == PLANIMETRY
    assert found.ml == pytest.approx(4 / 3 * np.pi * 15**3 / 1000, rel=0.01)
    assert found.ml == pytest.approx(mask.array.sum() * 0.8 * 0.4 * 0.3 / 1000)


def test_unknown_geometry_gives_a_reason_and_no_volume():
    array = np.ones((3, 4, 5), np.uint8)
    sized = Volume.from_spacing(array, (1.0, 0.1, 0.1))
    cine = Volume(array, sized.affine, True, {"frame_distance": "unknown"})
    pixels = Volume(array, sized.affine, False)

    assert mask_volume(cine).ml is None
    assert "neither the distance of the frames nor the angles" in (
        mask_volume(cine).method
    )
    assert mask_volume(pixels).ml is None
    assert "no pixel size" in mask_volume(pixels).method
    one = Volume.from_spacing(array[:1], (1.0, 0.1, 0.1))
    assert mask_volume(one).ml is None


def test_undecided_pixels_are_not_counted():
    array = np.full((2, 4, 5), 255, np.uint8)
    array[:, 1, 1] = 1
    mask = Volume.from_spacing(array, (1.0, 1.0, 1.0))

    assert mask_volume(mask).ml == pytest.approx(0.002)


def test_the_interval_adds_errors_of_one_hand():
    # 3 frames of 100 mm², 2 mm apart: 600 mm³; 5 mm² a frame add to 30 mm³.
    found = parallel_volume([100, 100, 100], 2.0, area_sd_mm2=5)

    assert found.ml == pytest.approx(0.6)
    assert found.interval_ml == pytest.approx((0.6 - 1.96 * 0.03, 0.6 + 1.96 * 0.03))
    # A sector of 10 % wider areas is 10 % larger.
    moments = np.array([[1000.0, 0.0]] * 3)
    turned = rotational_volume(moments, [0, 10, 20], [50, 50, 50], area_sd_mm2=5)
    assert turned.ml == pytest.approx(np.deg2rad(20))
    assert turned.interval_ml[1] == pytest.approx(turned.ml * (1 + 0.196))


def test_ellipsoid_and_psa_density():
    found = ellipsoid_volume(50, 45, 40)

    assert found.ml == pytest.approx(0.524 * 90)
    assert found.method == ELLIPSOID
    assert psa_density(6.0, 40.0) == pytest.approx(0.15)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: ellipsoid_volume(0, 1, 1),
        lambda: psa_density(-1, 40),
        lambda: psa_density(5, 0),
        lambda: parallel_volume([1, -1], 1.0),
        lambda: parallel_volume([1, 1], 0.0),
        lambda: parallel_volume([1, 1], 1.0, area_sd_mm2=[1, 1, 1]),
        lambda: rotational_volume(np.ones((2, 2)), [0], [1, 1]),
        lambda: Sweep("helical"),
        lambda: Sweep("parallel", "rows"),
        lambda: Sweep("rotational"),
        lambda: Sweep("rotational", "frames", 1.0, (0, 1)),
        lambda: Sweep("rotational", "rows", float("nan"), (0, 1)),
        lambda: Sweep("rotational", "rows", 1.0, (0, 1, 0.5)),
        lambda: Sweep("rotational", "rows", 1.0, (0, 400)),
    ],
)
def test_what_cannot_be_is_one_sentence(wrong):
    with pytest.raises(InputError, match=r"must .*; got "):
        wrong()


@pytest.mark.parametrize("seed", range(5))
def test_phantoms_turned_about_a_probe_within_three_per_cent(seed):
    """A phantom's gland as a solid; its truth is counted in fine cubes."""
    expert = make_phantom(seed, frames=40, shape=(120, 172)).expert
    step = np.array(expert.spacing_mm)
    # Parallel frames of the solid, with empty ones at both ends.
    solid = np.pad(expert.array == 1, ((3, 3), (0, 0), (0, 0)))
    depth = distance_transform_edt(solid, step) - distance_transform_edt(~solid, step)
    ends = (np.array(solid.shape) - 1) * step
    fine = [np.arange(0, end, 0.3) for end in ends]
    cubes = np.meshgrid(*(line / s for line, s in zip(fine, step, strict=True)))
    truth = float((map_coordinates(depth, cubes, order=1) > 0).sum()) * 0.3**3 / 1000
    middle, probe = ends[0] / 2, 9.0

    def inside(a, y, z):
        at = [(z + middle) / step[0], (y - probe) / step[1], a / step[2]]
        return map_coordinates(depth, at, order=1, cval=-99) > 0

    shape = tuple(int(n) for n in np.ceil(np.hypot(ends[1:], 30) / PIXEL_MM))
    turned_by = turned(inside, np.linspace(-75, 75, 51), at_mm=-probe, shape=shape)

    found = mask_volume(turned_by)

    assert 1 < truth < 200
    assert found.ml == pytest.approx(truth, rel=0.03)
