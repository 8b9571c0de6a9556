"""Solids and planes that are known, sampled as sweeps, put into one straight grid."""

import itertools

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from napari_microus.core.errors import InputError
from napari_microus.core.events import Notice, Progress, drain
from napari_microus.core.sweep import Sweep
from napari_microus.core.sweep_space import (
    distance_field,
    frame_affines,
    resample_sweep,
)
from napari_microus.core.sweep_space import resampling as resampling_module
from napari_microus.core.volume import Volume

PIXEL_MM = (0.4, 0.3)


def fan(value, angles_deg, *, at_mm, shape, along="columns", kind=np.uint8):
    """A scan turned about an axis; ``value(a, y, z)`` with a along the axis, in mm.

    y counts from the axis on, in the plane of angle 0.
    """
    row, column = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    if along == "columns":
        axial, radius = column * PIXEL_MM[1], row * PIXEL_MM[0] - at_mm
    else:
        axial, radius = row * PIXEL_MM[0], column * PIXEL_MM[1] - at_mm
    frames = np.array(
        [
            value(axial, radius * np.cos(t), radius * np.sin(t))
            for t in np.deg2rad(angles_deg)
        ]
    ).astype(kind)
    sweep = Sweep("rotational", along, at_mm, tuple(float(a) for a in angles_deg))
    volume = Volume.from_spacing(frames, (1.0, *PIXEL_MM))
    metadata = {"sweep": sweep.to_dict(), "frame_distance": "unknown"}
    return Volume(volume.array, volume.affine, True, metadata)


def ellipsoid(centre, half):
    return lambda *point: (
        sum(((p - c) / h) ** 2 for p, c, h in zip(point, centre, half, strict=True))
        <= 1
    )


def volume_and_centre(grid):
    """Millilitres and centre of gravity in RAS mm, by counting voxels."""
    at = np.argwhere(grid.array > 0)
    centre = grid.affine @ [*at.mean(axis=0)[::-1], 1]
    return len(at) * np.prod(grid.spacing_mm) / 1000, centre[:3]


@pytest.mark.parametrize("make", [resample_sweep, distance_field])
@pytest.mark.parametrize(
    ("half", "centre", "step_deg"),
    [
        ((18, 18, 18), (25, 29, 0), 1),
        ((22, 14, 19), (27, 27, 4), 1),
        ((22, 14, 19), (27, 27, 4), 4),
    ],
)
def test_solids_beside_the_axis(make, half, centre, step_deg):
    angles = np.arange(-70, 71, step_deg)
    scan = fan(ellipsoid(centre, half), angles, at_mm=-9.0, shape=(110, 190))
    options = {"method": "shape"} if make is resample_sweep else {}

    grid = drain(make(scan, **options))

    ml, found = volume_and_centre(grid)
    assert ml == pytest.approx(4 / 3 * np.pi * np.prod(half) / 1000, rel=0.01)
    # Columns run to the right, rows to the posterior, and 0 is 9 mm from the axis.
    truth = [-centre[0], -(centre[1] - 9.0), centre[2]]
    np.testing.assert_allclose(found, truth, atol=0.03)


@pytest.mark.parametrize("along", ["rows", "columns"])
def test_solids_across_the_axis_are_seen_by_half_a_turn(along):
    centre, half, at_mm = (30, 6, -4), (21, 15, 18), 31.0
    scan = fan(
        ellipsoid(centre, half),
        np.arange(0, 180, 2.0),
        at_mm=at_mm,
        shape=(220, 200),
        along=along,
    )

    grid = drain(resample_sweep(scan, method="shape", spacing_mm=0.6))

    ml, found = volume_and_centre(grid)
    assert ml == pytest.approx(4 / 3 * np.pi * np.prod(half) / 1000, rel=0.01)
    place = (centre[0], at_mm + centre[1])
    x, y = place if along == "columns" else place[::-1]
    np.testing.assert_allclose(found, [-x, -y, centre[2]], atol=0.03)


def torus(axial, y, z):
    return (axial - 20) ** 2 + (np.hypot(y, z) - 25) ** 2 <= 9**2


@pytest.mark.parametrize(
    ("angles", "turn_deg"),
    [(np.linspace(10, 95, 86), 85), (np.arange(0, 360, 5.0), 360)],
)
def test_sector_of_a_torus_ends_with_its_frames(angles, turn_deg):
    scan = fan(torus, angles, at_mm=-6.0, shape=(90, 140))

    grid = drain(resample_sweep(scan, method="shape"))

    ml, _ = volume_and_centre(grid)
    truth = np.pi * 9**2 * 25 * np.deg2rad(turn_deg) / 1000
    assert ml == pytest.approx(truth, rel=0.01)


def test_a_plane_stays_a_plane():
    # Grey is the distance from an oblique plane; linear in space, so linear after.
    normal, offset = np.array([0.4, 0.7, -0.6]), 3.0
    scan = fan(
        lambda a, y, z: normal[0] * a + normal[1] * y + normal[2] * z + offset,
        np.linspace(-40, 55, 96),
        at_mm=-8.0,
        shape=(60, 80),
        kind=np.float32,
    )

    grid = drain(resample_sweep(scan, spacing_mm=0.4, outside=np.nan))

    at = np.argwhere(np.isfinite(grid.array))
    points = np.c_[at[:, ::-1], np.ones(len(at))] @ grid.affine.T
    local = np.stack([-points[:, 0], -points[:, 1] + 8.0, points[:, 2]], axis=1)
    truth = local @ normal + offset
    # The half pixel at the border has the border's grey: 0.2 mm · 0.92 + 0.15 mm · 0.4.
    np.testing.assert_allclose(grid.array[tuple(at.T)], truth, atol=0.25)
    # Elsewhere a chord of 1° at 31 mm is off by 31 mm · (1 - cos 0.5°) = 0.001 mm.
    radius = np.hypot(*local.T[1:])
    inner = (local[:, 0] > 0) & (local[:, 0] < 23.7) & (radius > 8) & (radius < 31.6)
    np.testing.assert_allclose(grid.array[tuple(at[inner].T)], truth[inner], atol=0.01)


def test_nothing_is_made_up_beyond_the_frames():
    scan = fan(
        lambda a, y, z: np.full(a.shape, 7),
        np.linspace(-30, 30, 31),
        at_mm=-10.0,
        shape=(50, 40),
    )
    grid = drain(resample_sweep(scan))

    at = np.argwhere(grid.array > 0)
    assert set(np.unique(grid.array)) == {0, 7}
    points = (np.c_[at[:, ::-1], np.ones(len(at))] @ grid.affine.T)[:, :3]
    y, z = -points[:, 1] + 10.0, points[:, 2]
    assert np.abs(np.degrees(np.arctan2(z, y))).max() <= 30 + 1e-6
    radius = np.hypot(y, z)
    assert radius.min() >= 10 - 0.2 - 1e-6  # half a pixel
    assert radius.max() <= 10 + 49 * 0.4 + 0.2 + 1e-6
    # And all of it is there: the sector of a ring, 60 of 360 degrees.
    ring = np.pi * (29.8**2 - 9.8**2) / 6 * (40 * 0.3)
    assert len(at) * np.prod(grid.spacing_mm) == pytest.approx(ring, rel=0.02)


def test_affines_of_frames_are_turns_about_the_axis():
    rng = np.random.default_rng(0)
    turn = Rotation.random(None, rng).as_matrix()
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([0.3, 0.4, 1.0])
    affine[:3, 3] = 5, -7, 11
    sweep = Sweep("rotational", "columns", -9.0, (-20.0, 5.0, 40.0))
    volume = Volume(np.zeros((3, 12, 10)), affine, is_oriented=True)

    found = frame_affines(volume, sweep=sweep)

    pixel = np.array([4.0, 11.0, 0.0, 1.0])
    axis_point = affine[:3, 3] + turn[:, 1] * -9.0
    for angle, one in zip((-20, 5, 40), found, strict=True):
        # About the columns' direction, what is below moves towards the next frame.
        about = Rotation.from_rotvec(np.deg2rad(angle) * turn[:, 0])
        flat = (affine @ pixel)[:3]
        truth = axis_point + about.apply(flat - axis_point)
        np.testing.assert_allclose((one @ pixel)[:3], truth, atol=1e-9)
        np.testing.assert_allclose(one[:3, 2], about.apply(turn[:, 2]), atol=1e-9)


def test_frames_of_a_far_axis_are_a_stack():
    # 0.1° at 800 mm is 1.396 mm from frame to frame.
    stack = Volume(np.zeros((5, 6, 7)), np.diag([-0.3, -0.4, 1.396, 1.0]))
    for at_mm, angles in itertools.product(
        (-800.0, 800.0), (np.arange(5) * 0.1, np.arange(5) * -0.1)
    ):
        sweep = Sweep("rotational", "columns", at_mm, tuple(angles.tolist()))

        found = frame_affines(stack, sweep=sweep)

        ahead = found[:, :3, 3] @ stack.affine[:3, 2] / 1.396
        np.testing.assert_allclose(ahead, np.arange(5) * 1.396, atol=0.01)


def test_frames_of_a_stack_follow_its_affine():
    affine = np.array(
        [[-0.3, 0, 0.2, 1], [0, -0.4, 0, 2], [0, 0, 1.5, 3], [0, 0, 0, 1.0]]
    )
    volume = Volume(np.zeros((4, 5, 6)), affine)

    found = frame_affines(volume)

    for number, one in enumerate(found):
        np.testing.assert_allclose(
            one @ [2, 3, 0, 1], affine @ [2, 3, number, 1], atol=1e-12
        )


@pytest.mark.parametrize("angles", [(-20, 30), (25, -25), (170, 190)])
@pytest.mark.parametrize("at_mm", [-6.0, 12.0, 30.0])
@pytest.mark.parametrize("along", ["rows", "columns"])
def test_a_grid_lies_where_its_frames_do(along, at_mm, angles):
    """What is bright in some frames is found about the middle one."""
    scan = fan(
        lambda a, y, z: np.zeros(a.shape),
        np.linspace(*angles, 51),
        at_mm=at_mm,
        shape=(60, 70),
        along=along,
        kind=np.float32,
    )
    scan.array[28:39, 40:43, 20:23] = 100

    grid = drain(resample_sweep(scan, spacing_mm=0.25))

    at = np.argwhere(grid.array > 0)
    weights = grid.array[tuple(at.T)]
    centre = grid.affine @ [*np.average(at, axis=0, weights=weights)[::-1], 1]
    truth = frame_affines(scan)[33] @ [21, 41, 0, 1]
    np.testing.assert_allclose(centre[:3], truth[:3], atol=0.1)


def test_a_stack_becomes_cubes_in_its_place():
    z, y, x = np.mgrid[:60, :100, :120]
    inside = ((z - 30) * 0.8) ** 2 + ((y - 50) * 0.4) ** 2 + ((x - 60) * 0.3) ** 2
    mask = Volume.from_spacing((inside <= 15**2).astype(np.uint8), (0.8, *PIXEL_MM))

    grid = drain(resample_sweep(mask, method="shape", spacing_mm=0.5))

    assert grid.spacing_mm == pytest.approx((0.5, 0.5, 0.5))
    ml, centre = volume_and_centre(grid)
    assert ml == pytest.approx(4 / 3 * np.pi * 15**3 / 1000, rel=0.01)
    np.testing.assert_allclose(centre, [-18, -20, 24], atol=0.02)


def test_an_outline_ends_before_the_next_empty_frame():
    # One frame of 1256 mm² between empty ones 2 mm apart: by planimetry 2.5 mL.
    y, x = np.mgrid[:120, :120]
    disc = np.hypot(y - 60, x - 60) * 0.5 <= 20
    frames = np.stack([disc & (n == 2) for n in range(5)]).astype(np.uint8)
    mask = Volume.from_spacing(frames, (2.0, 0.5, 0.5))

    grid = drain(resample_sweep(mask, method="shape", spacing_mm=0.25))

    ml, centre = volume_and_centre(grid)
    assert ml == pytest.approx(disc.sum() * 0.25 * 2 / 1000, rel=0.02)
    assert centre[2] == pytest.approx(4.0, abs=0.01)
    drawn = np.flatnonzero(grid.array.any(axis=(1, 2)))
    reach = grid.affine[2, 3] + drawn * 0.25
    assert 2 < reach.min() < 3 < 5 < reach.max() < 6


def test_labels_are_those_of_the_nearest_pixel():
    labels = Volume.from_spacing(
        np.array([[[1, 9], [1, 9]], [[3, 4], [3, 4]]], np.uint8), (2.0, 1.0, 1.0)
    )

    grid = drain(resample_sweep(labels, method="nearest", spacing_mm=1.0))

    assert set(np.unique(grid.array)) == {1, 3, 4, 9}


def test_too_fine_a_grid_is_made_coarser_and_said(monkeypatch):
    monkeypatch.setattr(resampling_module, "MOST_VOXELS", 1 << 20)
    scan = Volume.from_spacing(np.ones((10, 100, 100), np.uint8), (1.0, 1.0, 1.0))
    events = []

    grid = drain(resample_sweep(scan, spacing_mm=0.1), events.append)

    assert 1 << 19 < grid.array.size <= 1 << 20
    (stated,) = [e.message for e in events if isinstance(e, Notice)]
    assert "0.1 mm would be more than 1 million" in stated
    assert [e for e in events if isinstance(e, Progress)][-1].done == 9


def test_work_can_be_stopped():
    scan = Volume.from_spacing(np.ones((10, 20, 20), np.uint8), (1.0, 1.0, 1.0))
    work = resample_sweep(scan)

    assert isinstance(next(work), Progress)
    work.close()


SCAN = Volume.from_spacing(np.ones((3, 6, 6), np.uint8), (1.0, 0.5, 0.5))


@pytest.mark.parametrize(
    ("volume", "sweep", "words"),
    [
        (Volume(SCAN.array, SCAN.affine, False), None, "pixel size; got none"),
        (
            Volume(SCAN.array, SCAN.affine, True, {"frame_distance": "unknown"}),
            None,
            "angles of a sweep; got neither",
        ),
        (Volume(SCAN.array[:1], SCAN.affine), None, "two or more frames; got one"),
        (
            SCAN,
            Sweep("rotational", "columns", -9.0, (0.0, 1.0)),
            "got 2 angles and 3 frames",
        ),
        (
            Volume(
                SCAN.array,
                np.array([[1, 0.5, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]),
            ),
            Sweep("rotational", "columns", -9.0, (0.0, 1.0, 2.0)),
            "right angle; got 63",
        ),
    ],
)
def test_unknown_geometry_is_one_sentence(volume, sweep, words):
    with pytest.raises(InputError, match=words):
        drain(resample_sweep(volume, sweep=sweep))
    with pytest.raises(InputError, match=words):
        frame_affines(volume, sweep=sweep)


def test_empty_masks_and_impossible_voxels_are_one_sentence():
    empty = SCAN.like(np.zeros_like(SCAN.array))
    with pytest.raises(InputError, match="must hold an object; got an empty one"):
        drain(distance_field(empty))
    for size in (0, -1, np.nan):
        with pytest.raises(InputError, match=r"above 0 mm; got"):
            drain(resample_sweep(SCAN, spacing_mm=size))


def test_masks_of_true_and_false_stay_so():
    scan = Volume.from_spacing(np.ones((3, 8, 8), bool), (1.0, 1.0, 1.0))
    scan.array[:, :, :4] = False

    grid = drain(resample_sweep(scan, spacing_mm=0.5))

    assert grid.array.dtype == bool
    assert 0.4 < grid.array.mean() < 0.6
