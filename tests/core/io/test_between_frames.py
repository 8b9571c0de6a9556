"""What is not known between frames stays unknown in our own files."""

from dataclasses import replace

import numpy as np
import pytest

from napari_microus.core.errors import InputError
from napari_microus.core.io import (
    ScanProperties,
    read_mask,
    read_volume,
    write_mask,
    write_scan_properties,
    write_volume,
)
from napari_microus.core.io.tiff import NO_FRAME_DISTANCE
from napari_microus.core.io.writing import WRITABLE
from napari_microus.core.sweep import Sweep, even_angles
from napari_microus.core.volume import UNKNOWN, Volume
from napari_microus.core.volumetry import NO_SWEEP, mask_volume

SUFFIXES = [suffix for suffix in WRITABLE if suffix != ".seg.nrrd"]


@pytest.fixture
def scan():
    array = np.arange(4 * 5 * 6, dtype=np.uint8).reshape(4, 5, 6)
    volume = Volume.from_spacing(array, (1.0, 0.2, 0.1))
    return replace(volume, metadata={"frame_distance": UNKNOWN})


def turned(scan):
    sweep = Sweep("rotational", "rows", 0.3, even_angles(-70, 70, len(scan.array)))
    return replace(scan, metadata={**scan.metadata, "sweep": sweep.to_dict()})


@pytest.mark.parametrize("suffix", WRITABLE)
def test_an_unknown_distance_is_not_taken_for_one_millimetre(scan, tmp_path, suffix):
    mask = scan.like((scan.array > 50).astype(np.uint8))
    write_mask(mask, tmp_path / f"m{suffix}")

    again = read_mask(tmp_path / f"m{suffix}")

    assert again.has_geometry
    assert not again.knows_frame_distance
    np.testing.assert_allclose(again.affine, scan.affine, atol=1e-7)
    assert mask_volume(again).method == NO_SWEEP
    assert NO_FRAME_DISTANCE in again.metadata["notices"]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("frames", [4, 800])
def test_a_sweep_comes_back(scan, tmp_path, suffix, frames):
    long = np.zeros((frames, 5, 6), np.uint8)
    volume = turned(replace(scan, array=long))
    write_volume(volume, tmp_path / f"s{suffix}")

    again = read_volume(tmp_path / f"s{suffix}")

    assert again.metadata["sweep"] == volume.metadata["sweep"]
    assert not again.knows_frame_distance
    assert again.metadata["notices"] == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_known_distance_is_reported_as_before(scan, tmp_path, suffix):
    write_volume(replace(scan, metadata={}), tmp_path / f"k{suffix}")
    write_volume(replace(scan, array=scan.array[:1]), tmp_path / f"one{suffix}")

    assert read_volume(tmp_path / f"k{suffix}").knows_frame_distance
    assert b"microus_frames" not in (tmp_path / f"one{suffix}").read_bytes()


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_itk_and_nibabel_read_the_same_pixels(scan, tmp_path, suffix):
    sitk = pytest.importorskip("SimpleITK")
    path = tmp_path / f"s{suffix}"
    write_volume(turned(scan), path)

    image = sitk.ReadImage(str(path))

    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), scan.array)
    np.testing.assert_allclose(image.GetSpacing(), (0.1, 0.2, 1.0), rtol=1e-6)
    if suffix.startswith(".nii"):
        import nibabel as nib

        found = nib.load(path)
        np.testing.assert_array_equal(np.asarray(found.dataobj).T, scan.array)


def test_what_a_person_states_goes_before_the_header(scan, tmp_path):
    path = tmp_path / "s.nii.gz"
    write_volume(scan, path)
    write_scan_properties(path, ScanProperties(frame_distance_mm=0.5))

    again = read_volume(path)

    assert again.knows_frame_distance
    assert again.spacing_mm == pytest.approx((0.5, 0.2, 0.1))


def test_a_mask_takes_the_distance_that_its_scan_got_since(scan, tmp_path):
    mask = scan.like((scan.array > 50).astype(np.uint8))
    write_mask(mask, tmp_path / "m.nii.gz")
    known = Volume.from_spacing(scan.array, (0.5, 0.2, 0.1))

    laid = read_mask(tmp_path / "m.nii.gz", grid=known)

    assert laid.knows_frame_distance
    assert mask_volume(laid).ml == pytest.approx(69 * 0.5 * 0.2 * 0.1 / 1000)


def test_a_damaged_word_is_refused(scan, tmp_path):
    path = tmp_path / "s.nii"
    write_volume(scan, path)
    stated = path.read_bytes()
    path.write_bytes(stated.replace(b'"unknown"', b'"unknowm"'))

    with pytest.raises(InputError, match="must be an unknown distance or a sweep"):
        read_volume(path)
