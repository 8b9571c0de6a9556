"""What a person states about a scan goes with it."""

import json

import numpy as np
import pytest
from skimage.io import imsave

from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.io import (
    ScanProperties,
    read_mask,
    read_scan_properties,
    read_volume,
    scan_sidecar_of,
    write_mask,
    write_scan_properties,
    write_volume,
)
from napari_microus.core.io.headers import read_grid, states_size
from napari_microus.core.io.scan_sidecar import find_scan_properties
from napari_microus.core.sweep import Sweep
from napari_microus.core.volume import Volume
from napari_microus.core.volumetry import mask_volume

FRAMES = np.random.default_rng(2).integers(0, 255, (3, 12, 16), np.uint8)
TURN = Sweep("rotational", "columns", -9.5, (-10.0, 0.0, 10.0))
ALL = ScanProperties((0.05, 0.04), "unknown", TURN, ("superior", "posterior", "left"))


@pytest.fixture
def frames(tmp_path):
    """A folder of three pictures, which state no size."""
    folder = tmp_path / "sweep"
    folder.mkdir()
    for number, frame in enumerate(FRAMES):
        imsave(folder / f"{number}.png", frame, check_contrast=False)
    return folder


def test_properties_come_back_and_the_schema_is_the_documented_one(frames):
    path = write_scan_properties(frames, ALL)

    assert path == frames / "scan.json"
    assert read_scan_properties(frames) == ALL
    assert json.loads(path.read_text(encoding="utf-8")) == {
        "format": "napari-microus scan properties",
        "version": 1,
        "pixel_mm": [0.05, 0.04],
        "frame_distance_mm": "unknown",
        "sweep": {
            "kind": "rotational",
            "axis": {"along": "columns", "at_mm": -9.5},
            "angles_deg": [-10.0, 0.0, 10.0],
        },
        "orientation": {
            "columns": "superior",
            "rows": "posterior",
            "frames": "left",
        },
    }


def test_a_folder_of_pictures_is_in_mm(frames):
    assert not read_volume(frames).has_geometry
    write_scan_properties(frames, ScanProperties((0.05, 0.04), 0.8))

    volume = read_volume(frames)

    assert volume.spacing_mm == pytest.approx((0.8, 0.05, 0.04))
    assert volume.knows_frame_distance
    assert not volume.is_oriented


def test_a_pixel_size_alone_gives_no_frame_distance(frames):
    write_scan_properties(frames, ScanProperties((0.05, 0.04)))

    volume = read_volume(frames)

    assert volume.has_geometry
    assert not volume.knows_frame_distance
    assert mask_volume(volume.like(np.ones(volume.shape, np.uint8))).ml is None


def test_orientation_and_sweep_are_in_the_volume(frames):
    write_scan_properties(frames, ALL)

    volume = read_volume(frames)

    assert volume.is_oriented
    towards = volume.affine[:3, :3] / np.linalg.norm(volume.affine[:3, :3], axis=0)
    np.testing.assert_allclose(towards, [[0, 0, -1], [0, -1, 0], [1, 0, 0]])
    assert volume.metadata["sweep"] == TURN.to_dict()
    assert not volume.knows_frame_distance


def test_a_mask_over_a_sized_scan_lies_on_it_when_both_are_opened_again(
    frames, tmp_path
):
    write_scan_properties(frames, ALL)
    scan = read_volume(frames)
    drawn = np.zeros(scan.shape, np.uint8)
    drawn[:, 3:7, 4:9] = 1
    write_mask(scan.like(drawn), tmp_path / "m.nii.gz")
    imsave(tmp_path / "m.tif", drawn, check_contrast=False)

    mask = read_mask(tmp_path / "m.nii.gz", grid=read_volume(frames))
    plain = read_mask(tmp_path / "m.tif", grid=read_volume(frames))

    np.testing.assert_array_equal(mask.array, drawn)
    assert mask.shares_grid(scan)
    assert plain.shares_grid(scan)
    # Its volume comes from the scan's sweep: 20 pixels of 0.002 mm² in each frame,
    # their centroid 9.5 + 4.5 · 0.05 mm from the axis, through 20°.
    by_hand = 20 * 0.002 * (9.5 + 4.5 * 0.05) * np.deg2rad(20) / 1000
    assert mask_volume(mask).ml == pytest.approx(by_hand)


def test_a_mask_of_another_size_is_refused(frames, tmp_path):
    write_mask(
        Volume.from_spacing(np.ones((3, 12, 16), np.uint8), (1.0, 0.1, 0.1)),
        tmp_path / "m.nii.gz",
    )
    write_scan_properties(frames, ScanProperties((0.05, 0.04)))

    with pytest.raises(InputError, match="must share a grid"):
        read_mask(tmp_path / "m.nii.gz", grid=read_volume(frames))


def test_a_mask_of_the_files_own_size_no_longer_lies_on_it(tmp_path, oblique):
    path = tmp_path / "a.nii.gz"
    write_volume(Volume(FRAMES, oblique), path)
    drawn = np.ones(FRAMES.shape, np.uint8)
    write_mask(read_volume(path).like(drawn), tmp_path / "m.nii.gz")
    write_scan_properties(path, ScanProperties((0.05, 0.04)))

    with pytest.raises(InputError, match="must share a grid"):
        read_mask(tmp_path / "m.nii.gz", grid=read_volume(path))


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_the_persons_word_goes_before_the_files_and_is_reported(
    tmp_path, oblique, suffix
):
    path = tmp_path / f"a{suffix}"
    scan = Volume(FRAMES, oblique)
    write_volume(scan, path)
    write_scan_properties(path, ScanProperties((0.05, 0.04), 0.8))

    volume = read_volume(path)

    assert volume.spacing_mm == pytest.approx((0.8, 0.05, 0.04), rel=1e-5)
    stated = " ".join(volume.metadata["notices"])
    assert "pixel of 0.05 × 0.04 mm, the file one of 0.07 × 0.03359 mm" in stated
    assert "frame distance of 0.8 mm, the file one of 0.3333 mm" in stated
    # The directions stay, and what is written over it is read back there.
    one = volume.affine[:3, :3] / np.linalg.norm(volume.affine[:3, :3], axis=0)
    other = oblique[:3, :3] / np.linalg.norm(oblique[:3, :3], axis=0)
    np.testing.assert_allclose(one, other, atol=1e-5)
    drawn = np.zeros(FRAMES.shape, np.uint8)
    drawn[1, 2:5, 3:9] = 1
    write_mask(volume.like(drawn), tmp_path / f"drawn{suffix}")
    mask = read_mask(tmp_path / f"drawn{suffix}", grid=read_volume(path))
    np.testing.assert_array_equal(mask.array, drawn)
    grid = read_grid(path)
    assert grid is not None
    assert grid.shares_grid(volume)


def test_the_files_own_size_stated_again_changes_nothing(tmp_path, oblique):
    write_volume(Volume(FRAMES, oblique), tmp_path / "a.nii.gz")
    before = read_volume(tmp_path / "a.nii.gz")
    write_scan_properties(
        tmp_path / "a.nii.gz", ScanProperties((0.07, 0.033586), 0.33333)
    )

    after = read_volume(tmp_path / "a.nii.gz")

    np.testing.assert_array_equal(after.affine, before.affine)
    assert after.place is not None
    assert after.metadata["notices"] == before.metadata["notices"]


def test_a_cut_of_dicom_keeps_its_place(tmp_path):
    from dicom_files import dataset, region, save

    item = region((2, 9), (3, 12), units=0)  # where the tissue is, not how large
    path = save(dataset(FRAMES, regions=[item]), tmp_path / "a.dcm")
    write_scan_properties(path, ScanProperties((0.05, 0.04)))

    cut = read_volume(path)
    whole = read_volume(path, region="whole")

    assert cut.shape == (3, 8, 10)
    np.testing.assert_allclose(cut.affine @ [0, 0, 0, 1], whole.affine @ [3, 2, 0, 1])
    assert not any("no pixel size;" in n for n in cut.metadata["notices"])


def test_a_files_own_properties_go_before_its_folders(tmp_path):
    imsave(tmp_path / "a.png", FRAMES[0], check_contrast=False)
    imsave(tmp_path / "b.png", FRAMES[0], check_contrast=False)
    write_scan_properties(tmp_path, ScanProperties((0.2, 0.2)))
    write_scan_properties(tmp_path / "a.png", ScanProperties((0.1, 0.1)))

    assert scan_sidecar_of(tmp_path / "a.png").name == "a.scan.json"
    assert read_volume(tmp_path / "a.png").spacing_mm[1] == pytest.approx(0.1)
    assert read_volume(tmp_path / "b.png").spacing_mm[1] == pytest.approx(0.2)
    assert states_size(tmp_path / "b.png")


def test_scan_json_of_others_is_left_alone(tmp_path, mask):
    write_mask(mask, tmp_path / "scan.nii.gz", provenance={"task": "x"})
    before = (tmp_path / "scan.json").read_bytes()

    assert read_scan_properties(tmp_path / "scan.nii.gz").is_empty
    with pytest.raises(OutputError, match="must not replace a file of others"):
        write_scan_properties(tmp_path, ScanProperties((0.1, 0.1)))
    assert (tmp_path / "scan.json").read_bytes() == before


def test_empty_properties_remove_the_file(frames):
    path = write_scan_properties(frames, ALL)
    write_scan_properties(frames, ScanProperties())

    assert not path.exists()


@pytest.mark.parametrize(
    "stated",
    [
        {"pixel_mm": [0.05]},
        {"pixel_mm": 0.05},
        {"pixel_mm": [0, 0.1]},
        {"pixel_mm": [-1, 0.1]},
        {"pixel_mm": [True, 0.1]},
        {"pixel_mm": [11, 0.1]},
        {"pixel_mm": ["a", 0.1]},
        {"frame_distance_mm": 0},
        {"frame_distance_mm": "near"},
        {"frame_distance_mm": float("nan")},
        {"frame_distance_mm": 1e9},
        {"sweep": "rotational"},
        {"sweep": {"kind": "rotational"}},
        {"sweep": {**TURN.to_dict(), "axis": 3}},
        {"sweep": {**TURN.to_dict(), "angles_deg": 3}},
        {"sweep": TURN.to_dict(), "frame_distance_mm": 1.0},
        {"sweep": {"kind": "parallel", "speed": 3}},
        {"orientation": {"columns": "left", "rows": "right", "frames": "superior"}},
        {"orientation": {"columns": "left"}},
        {"orientation": ["left", "posterior", "superior"]},
        {"patient": "Jane"},
        {"version": 7},
    ],
)
def test_properties_out_of_bounds_are_one_sentence(frames, stated):
    known = {"format": "napari-microus scan properties", "version": 1, **stated}
    (frames / "scan.json").write_text(json.dumps(known))

    with pytest.raises(InputError, match=r"must .*; got .*The file is scan\.json\."):
        read_volume(frames)


def test_a_damaged_file_is_named(tmp_path):
    imsave(tmp_path / "a.png", FRAMES[0], check_contrast=False)
    (tmp_path / "a.scan.json").write_text("{")

    with pytest.raises(InputError, match=r"must be JSON; got a\.scan\.json"):
        read_volume(tmp_path / "a.png")


def test_angles_must_fit_the_frames(frames):
    write_scan_properties(
        frames, ScanProperties(sweep=Sweep("rotational", "rows", 0.0, (0.0, 1.0)))
    )
    with pytest.raises(InputError, match="got 2 angles and 3 frames"):
        read_volume(frames)


def test_a_mask_elsewhere_named_takes_the_properties_of_the_scan_it_states(tmp_path):
    """The provenance beside a mask names the scan it was drawn over."""
    (tmp_path / "scan.nii.scan.json").write_text("{}")
    (tmp_path / "outline.json").write_text(json.dumps({"image": "scan.nii.gz"}))
    (tmp_path / "scan.scan.json").write_text("{}")
    mask = tmp_path / "outline.nii.gz"
    assert find_scan_properties(mask) == tmp_path / "scan.scan.json"
    for name in ("../scan.nii.gz", "", 3, "other.nii.gz"):
        (tmp_path / "outline.json").write_text(json.dumps({"image": name}))
        assert find_scan_properties(mask) is None
