import json
from pathlib import Path

import numpy as np
import pytest

from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.io import (
    WRITABLE,
    read_mask,
    read_provenance,
    read_volume,
    sidecar_of,
    stem_of,
    suffix_of,
    write_mask,
    write_volume,
)
from napari_microus.core.volume import Volume

MADE = {"model": "small", "date": "2026-01-02", "settings": {"threshold": 0.5}}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("name", "stem", "suffix"),
    [
        ("a.nii.gz", "a", ".nii.gz"),
        ("A.B.NII.GZ", "A.B", ".nii.gz"),
        ("a.seg.nrrd", "a", ".seg.nrrd"),
        ("a.b.nrrd", "a.b", ".nrrd"),
        ("a", "a", ""),
        ("Smith_2024.03.11", "Smith_2024.03.11", ".11"),
    ],
)
def test_endings_of_two_parts_are_taken_whole(name, stem, suffix):
    assert stem_of(f"folder/{name}") == stem
    assert suffix_of(f"folder/{name}") == suffix


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float32"])
def test_mask_of_any_type_is_stored_as_uint8(tmp_path, mask, dtype):
    write_mask(mask.like(mask.array.astype(dtype)), tmp_path / "a.nii.gz")

    back = read_volume(tmp_path / "a.nii.gz")
    assert back.array.dtype == np.uint8
    np.testing.assert_array_equal(back.array, mask.array)


@pytest.mark.parametrize("suffix", WRITABLE)
def test_undecided_pixels_stay_255(tmp_path, mask, suffix):
    array = mask.array.copy()
    array[0] = 255
    write_mask(mask.like(array), tmp_path / f"a{suffix}")

    np.testing.assert_array_equal(read_mask(tmp_path / f"a{suffix}").array, array)
    assert names(tmp_path) == [f"a{suffix}"]


@pytest.mark.parametrize("value", [0.5, -1, 256, np.nan])
def test_values_that_uint8_cannot_hold_are_refused(tmp_path, mask, value):
    array = mask.array.astype(np.float64)
    array[0, 0, 0] = value

    with pytest.raises(InputError, match="whole numbers from 0 to 255"):
        write_mask(mask.like(array), tmp_path / "a.nii.gz")
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["a.png", "a.mhd", "a", "a.gz"])
def test_unknown_format_is_refused(tmp_path, mask, name):
    with pytest.raises(OutputError, match=r"must end in one of .nii.gz, .* got"):
        write_mask(mask, tmp_path / name)
    assert names(tmp_path) == []


def test_segmentation_of_a_scan_is_refused(tmp_path, mask):
    with pytest.raises(OutputError, match="must hold a mask; got a scan"):
        write_volume(mask, tmp_path / "a.seg.nrrd")


@pytest.mark.parametrize("suffix", WRITABLE)
def test_existing_file_is_replaced_only_when_asked(tmp_path, mask, suffix):
    path = tmp_path / f"a{suffix}"
    write_mask(mask, path)
    before = path.read_bytes()

    with pytest.raises(OutputError, match="already exists"):
        write_mask(mask.like(1 - mask.array), path)
    assert path.read_bytes() == before

    write_mask(mask.like(1 - mask.array), path, overwrite=True)
    np.testing.assert_array_equal(read_volume(path).array, 1 - mask.array)


def test_provenance_lies_beside_the_mask(tmp_path, mask):
    write_mask(mask, tmp_path / "a.nii.gz", provenance=MADE)

    assert names(tmp_path) == ["a.json", "a.nii.gz"]
    assert read_provenance(tmp_path / "a.nii.gz") == MADE
    stated = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert stated == {"generator": "napari-microus", **MADE}


def test_provenance_holds_numbers_of_numpy_and_paths(tmp_path, mask):
    made = {"dice": np.float32(0.5), "frames": np.arange(2), "path": Path("x")}
    write_mask(mask, tmp_path / "a.nii.gz", provenance=made)

    stated = read_provenance(tmp_path / "a.nii.gz")
    assert stated == {"dice": 0.5, "frames": [0, 1], "path": "x"}


def test_mask_without_provenance_has_no_sidecar(tmp_path, mask):
    write_mask(mask, tmp_path / "a.nii.gz")

    assert names(tmp_path) == ["a.nii.gz"]
    assert read_provenance(tmp_path / "a.nii.gz") == {}


def test_replaced_mask_does_not_keep_the_provenance_of_the_former(tmp_path, mask):
    write_mask(mask, tmp_path / "a.nii.gz", provenance=MADE)
    write_mask(mask, tmp_path / "a.nii.gz", overwrite=True, provenance={"model": "b"})
    assert read_provenance(tmp_path / "a.nii.gz") == {"model": "b"}

    write_mask(mask, tmp_path / "a.nii.gz", overwrite=True)
    assert names(tmp_path) == ["a.nii.gz"]


def test_sidecar_of_others_is_neither_read_nor_replaced(tmp_path, mask):
    sidecar = sidecar_of(tmp_path / "a.nii.gz")
    sidecar.write_text('{"EchoTime": 0.1}')

    with pytest.raises(OutputError, match="must not replace a file of others"):
        write_mask(mask, tmp_path / "a.nii.gz", overwrite=True, provenance=MADE)
    assert names(tmp_path) == ["a.json"]

    write_mask(mask, tmp_path / "a.nii.gz")
    write_mask(mask, tmp_path / "a.nii.gz", overwrite=True)
    assert sidecar.read_text(encoding="utf-8") == '{"EchoTime": 0.1}'
    assert read_provenance(tmp_path / "a.nii.gz") == {}


def test_damaged_sidecar_is_reported(tmp_path):
    (tmp_path / "a.json").write_text("{")

    with pytest.raises(InputError, match="A sidecar must be JSON"):
        read_provenance(tmp_path / "a.nii.gz")


@pytest.mark.parametrize("suffix", WRITABLE)
def test_failed_write_leaves_neither_mask_nor_sidecar(
    tmp_path, mask, suffix, monkeypatch
):
    def refuse(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("napari_microus.core.io.writing.write_nifti", refuse)
    monkeypatch.setattr("napari_microus.core.io.writing.write_itk", refuse)

    with pytest.raises(OutputError, match="No space left on device"):
        write_mask(mask, tmp_path / f"a{suffix}", provenance=MADE)
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["a.nrrd", "a.mha"])
def test_error_of_simpleitk_is_one_sentence(tmp_path, mask, name, monkeypatch):
    import SimpleITK as sitk

    def refuse(self, image):
        raise RuntimeError("sitk::ERROR: many lines")

    monkeypatch.setattr(sitk.ImageFileWriter, "Execute", refuse)

    with pytest.raises(OutputError, match=r"Cannot write to .*disk is full"):
        write_mask(mask, tmp_path / name)
    assert names(tmp_path) == []


def test_missing_and_empty_files_are_reported(tmp_path):
    with pytest.raises(InputError, match="The file must exist; got"):
        read_volume(tmp_path / "a.nii.gz")
    for suffix in (".nii", ".nii.gz", ".nrrd", ".mha", ".png", ".tif", ".dcm"):
        (tmp_path / f"a{suffix}").touch()
        with pytest.raises(InputError, match="which is empty"):
            read_volume(tmp_path / f"a{suffix}")


def test_unknown_format_names_the_known_ones(tmp_path):
    (tmp_path / "a.docx").write_text("x")

    with pytest.raises(InputError, match=r"known format; got .*a.docx. Known are .nii"):
        read_volume(tmp_path / "a.docx")


def test_unreadable_file_is_reported(tmp_path, monkeypatch):
    (tmp_path / "a.nii").write_text("x")

    def refuse(self, mode):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)

    with pytest.raises(InputError, match=r"must be readable; .*Permission denied"):
        read_volume(tmp_path / "a.nii")


def test_constant_and_nan_scans_are_read(tmp_path, mask):
    array = np.full(mask.shape, np.nan, np.float32)
    for suffix in (".nii.gz", ".nrrd", ".mha"):
        write_volume(Volume(array, mask.affine), tmp_path / f"a{suffix}")
        assert np.isnan(read_volume(tmp_path / f"a{suffix}").array).all()


def test_what_a_killed_process_left_of_a_mask_is_in_nobodys_way(tmp_path):
    mask = Volume(np.ones((1, 2, 3), np.uint8))
    write_mask(mask, tmp_path / "m.nii.gz", provenance={"n": 1})
    (tmp_path / "m.nii.gz").unlink()  # killed between the two

    write_mask(mask, tmp_path / "m.nii.gz", provenance={"n": 2})

    assert read_provenance(tmp_path / "m.nii.gz") == {"n": 2}
