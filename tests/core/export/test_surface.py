"""Surfaces of solids that are known, read back by trimesh from the files."""

import numpy as np
import pytest
import trimesh

from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.events import Notice, drain
from napari_microus.core.export.surface import capsule_surface
from napari_microus.core.export.surface_files import save_surface, write_surface
from napari_microus.core.sweep import Sweep
from napari_microus.core.volume import Volume
from napari_microus.core.volumetry import mask_volume

HALF = np.array([18.0, 12.0, 15.0])  # of the ellipsoid, along columns, rows, frames
TRUTH_ML = 4 / 3 * np.pi * HALF.prod() / 1000


def ellipsoid_in_a_fan(*, step_deg=2.0, at_mm=-9.0, is_oriented=False):
    """Its centre is 20 mm along the axis and 25 mm from it, in the frame of 0°."""
    angles = np.arange(-60, 60 + step_deg / 2, step_deg)
    row, column = np.meshgrid(np.arange(90), np.arange(140), indexing="ij")
    axial, radius = column * 0.3, row * 0.4 - at_mm
    frames = [
        ((axial - 20) / HALF[0]) ** 2
        + ((radius * np.cos(t) - 25) / HALF[1]) ** 2
        + (radius * np.sin(t) / HALF[2]) ** 2
        <= 1
        for t in np.deg2rad(angles)
    ]
    sweep = Sweep("rotational", "columns", at_mm, tuple(angles.tolist()))
    return Volume(
        np.array(frames, np.uint8),
        np.diag([-0.3, -0.4, 1.0, 1.0]),
        metadata={"sweep": sweep.to_dict(), "frame_distance": "unknown"},
        is_oriented=is_oriented,
    )


def ellipsoid_in_a_stack(affine=None):
    z, y, x = np.mgrid[:32, :80, :130]
    at = np.stack([(x - 65) * 0.3, (y - 40) * 0.4, (z - 15.5) * 1.2], axis=-1)
    inside = ((at / HALF) ** 2).sum(-1) <= 1
    affine = np.diag([-0.3, -0.4, 1.2, 1.0]) if affine is None else affine
    return Volume(inside.astype(np.uint8), affine)


@pytest.mark.parametrize(
    ("mask", "centre"),
    [
        (ellipsoid_in_a_fan(), (-20, -16, 0)),
        (ellipsoid_in_a_stack(), (-19.5, -16, 18.6)),
    ],
    ids=["fan", "stack"],
)
def test_the_surface_is_closed_and_encloses_the_solid(mask, centre):
    events = []

    surface = drain(capsule_surface(mask), events.append)

    assert surface.is_closed
    assert surface.mesh.is_winding_consistent
    assert surface.volume_ml == pytest.approx(TRUTH_ML, rel=0.01)
    assert surface.volume_ml == pytest.approx(mask_volume(mask).ml, rel=0.01)
    np.testing.assert_allclose(surface.mesh.center_mass, centre, atol=0.05)
    assert not [event for event in events if isinstance(event, Notice)]
    # Each point is near the ellipsoid, and normals point outwards.
    away = (surface.vertices_mm - centre) / HALF[[0, 1, 2]]
    assert np.abs(np.linalg.norm(away, axis=1) - 1).max() < 0.05
    outwards = surface.mesh.triangles_center - centre
    assert ((outwards * surface.mesh.face_normals).sum(1) > 0).mean() > 0.999


def test_the_surface_is_smooth():
    surface = drain(capsule_surface(ellipsoid_in_a_stack()))

    angles = np.degrees(surface.mesh.face_adjacency_angles)
    # Frames of 1.2 mm, pixels of 0.3: steps would be 90°. The ends are domes between
    # a frame with an outline and an empty one, with a rim.
    assert np.percentile(angles, 99) < 15


def test_what_continues_beyond_the_frames_is_cut_off_and_closed():
    # A cylinder about the axis: a sector of 40°, from 9 to 12 mm, 30 mm long.
    angles = np.arange(-20, 21, 2.0)
    frames = np.zeros((21, 60, 120), np.uint8)
    frames[:, 5:35, 10:110] = 1  # rows 5 to 34 of 0.1 mm, columns of 0.3 mm
    sweep = Sweep("rotational", "columns", -8.5, tuple(angles.tolist()))
    mask = Volume(frames, np.diag([-0.3, -0.1, 1.0, 1.0]))

    surface = drain(capsule_surface(mask, sweep=sweep))

    assert surface.is_closed
    inner, outer = 8.5 + 0.45, 8.5 + 3.45
    truth = np.deg2rad(40) / 2 * (outer**2 - inner**2) * 30 / 1000
    assert surface.volume_ml == pytest.approx(truth, rel=0.02)


def test_a_mirrored_affine_does_not_turn_the_surface_inside_out():
    mirrored = ellipsoid_in_a_stack(np.diag([0.3, -0.4, 1.2, 1.0]))

    assert drain(capsule_surface(mirrored)).volume_ml == pytest.approx(TRUTH_ML, 0.01)


@pytest.mark.parametrize("space", ["LPS", "RAS"])
@pytest.mark.parametrize("suffix", [".stl", ".obj", ".ply"])
def test_files_state_their_axes_as_slicer_reads_them(tmp_path, suffix, space):
    path = tmp_path / f"capsule{suffix}"
    mask = ellipsoid_in_a_fan(is_oriented=True, step_deg=4.0)

    surface = drain(write_surface(mask, path, space=space, spacing_mm=1.0))

    head = path.read_bytes()[:200]
    assert f"SPACE={space}, mm, patient".encode() in head
    assert not head.startswith(b"solid")  # which would be an ASCII STL
    if suffix == ".stl":
        assert b"SPACE=" in head[:80]
        assert int.from_bytes(head[80:84], "little") == len(surface.faces)
    read = trimesh.load(path)
    assert read.is_watertight
    assert read.volume / 1000 == pytest.approx(surface.volume_ml, rel=1e-4)
    turn = [-1, -1, 1] if space == "LPS" else [1, 1, 1]
    np.testing.assert_allclose(
        read.center_mass, surface.mesh.center_mass * turn, atol=1e-3
    )
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_scan_without_orientation_says_so(tmp_path):
    surface = drain(capsule_surface(ellipsoid_in_a_fan(step_deg=4.0), spacing_mm=1.0))

    save_surface(surface, tmp_path / "capsule.stl")

    head = (tmp_path / "capsule.stl").read_bytes()[:80]
    assert b"axes of the scan, orientation not told" in head


def test_a_surface_far_from_the_frames_volume_is_said():
    events = []
    rough = np.random.default_rng(0).random((6, 30, 30)) > 0.6
    mask = Volume(rough.astype(np.uint8), np.diag([-0.3, -0.3, 1.0, 1.0]))

    surface = drain(capsule_surface(mask), events.append)

    assert surface.is_closed
    assert "the frames give" in next(e.message for e in events if isinstance(e, Notice))


def test_no_surface_without_mm_or_an_object():
    stack = ellipsoid_in_a_stack()
    with pytest.raises(InputError, match="must state its pixel size; got none"):
        drain(capsule_surface(Volume(stack.array, stack.affine, False)))
    with pytest.raises(InputError, match="must hold an object; got an empty one"):
        drain(capsule_surface(stack.like(np.zeros_like(stack.array))))


def test_files_are_not_overwritten_and_formats_are_known(tmp_path):
    mask = ellipsoid_in_a_stack()
    there = tmp_path / "there.stl"
    there.write_bytes(b"mine")
    with pytest.raises(OutputError, match="already exists"):
        drain(write_surface(mask, there))
    with pytest.raises(OutputError, match=r"\.stl, \.obj, \.ply; got capsule.vtk"):
        drain(write_surface(mask, tmp_path / "capsule.vtk"))
    with pytest.raises(OutputError, match="must be LPS or RAS; got LAS"):
        drain(write_surface(mask, tmp_path / "capsule.stl", space="LAS"))
    assert there.read_bytes() == b"mine"
    drain(write_surface(mask, there, overwrite=True, spacing_mm=2.0))
    assert trimesh.load(there).is_watertight
