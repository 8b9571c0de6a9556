import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from napari_microus.core.case import check_case, open_case, read_case, save_case
from napari_microus.core.case.scan_places import places_folder
from napari_microus.core.errors import InputError
from napari_microus.core.io import (
    read_volume,
    write_mask,
    write_scan_properties,
    write_volume,
)
from napari_microus.core.io.scan_properties import ScanProperties

ROOT = Path(__file__).parents[3]


@pytest.fixture
def case(tmp_path, scan, mask, made):
    return save_case(
        tmp_path / "case", scan, mask, provenance=made, psa_ng_ml=4.5, code="P-7"
    )


def source(scan):
    return Path(scan.metadata["source"])


def test_a_scan_is_found_where_this_computer_saw_it_last(case):
    assert open_case(case.folder).scan is not None


def test_a_moved_scan_is_found_by_its_pixels(tmp_path, case, scan):
    (tmp_path / "archive" / "2031").mkdir(parents=True)
    moved = tmp_path / "archive" / "2031" / "renamed.nii.gz"
    shutil.move(source(scan), moved)
    write_volume(scan.like(scan.array[::-1].copy()), moved.parent / "another.nii.gz")
    (moved.parent / "letter.txt").write_text("theirs")

    with pytest.raises(InputError, match="got none where this computer saw it"):
        open_case(case.folder)
    assert read_case(case.folder).measurements == case.measurements
    assert open_case(case.folder, moved.parent).scan.metadata["source"] == str(moved)
    assert open_case(case.folder).scan is not None  # remembered from now on
    shutil.rmtree(places_folder())
    assert open_case(case.folder, moved).scan is not None
    assert open_case(case.folder, scan).scan is not None

    moved.unlink()
    with pytest.raises(InputError, match="got none among 1 in"):
        open_case(case.folder, moved.parent)


def test_another_scan_is_refused(tmp_path, case, scan):
    array = scan.array.copy()
    array[2, 3, 4] ^= 1
    other = tmp_path / "other.nii.gz"
    write_volume(scan.like(array), other)
    fewer = tmp_path / "fewer.nii.gz"
    write_volume(read_volume(source(scan)).like(scan.array), fewer, overwrite=True)

    for given in (other, scan.like(array)):
        with pytest.raises(InputError, match="got other pixels"):
            open_case(case.folder, given)
    short = type(scan)(scan.array[:4], scan.affine)
    with pytest.raises(
        InputError, match=r"got 4 frames of 20 × 24 pixels instead of 5"
    ):
        open_case(case.folder, short)
    assert open_case(case.folder, fewer).scan is not None  # the same pixels


def test_a_scan_that_changed_in_its_place_is_refused(case, scan):
    write_volume(scan.like(255 - scan.array), source(scan), overwrite=True)
    with pytest.raises(InputError, match="got other pixels"):
        open_case(case.folder)
    assert any(
        "or one that was changed" in sentence for sentence in check_case(case.folder)
    )


def test_the_cases_sizes_hold_and_a_new_size_of_the_scan_is_reported(case, scan):
    write_scan_properties(source(scan), ScanProperties(pixel_mm=(0.1, 0.1)))

    back = open_case(case.folder)

    assert back.scan.spacing_mm == pytest.approx((2.0, 0.5, 0.4))
    assert back.mask.spacing_mm == pytest.approx((2.0, 0.5, 0.4))
    assert any("states another size" in notice for notice in back.notices)
    said = check_case(case.folder)
    assert any("states another size" in sentence for sentence in said)


def test_a_mask_that_another_program_changed_is_reported(case, mask):
    path = case.folder / "capsule_1.nii.gz"
    array = mask.array.copy()
    array[2] = 0
    write_mask(mask.like(array), path, overwrite=True)

    assert "'capsule' was changed" in open_case(case.folder).notices[-1]
    found = check_case(case.folder)
    assert "'capsule' was changed" in found[0]
    assert any("not those of the mask" in sentence for sentence in found)


def test_masks_that_fit_no_more_are_refused(case, mask):
    path = case.folder / "capsule_1.nii.gz"
    write_mask(type(mask)(mask.array[:4], mask.affine), path, overwrite=True)
    with pytest.raises(InputError, match="on the scan's grid"):
        open_case(case.folder)
    shifted = mask.affine.copy()
    shifted[:3, 3] += 3
    write_mask(type(mask)(mask.array, shifted), path, overwrite=True)
    with pytest.raises(InputError, match="lies elsewhere"):
        open_case(case.folder)
    path.write_bytes(b"half")
    with pytest.raises(InputError):
        open_case(case.folder)
    path.unlink()
    with pytest.raises(InputError, match=r"got none named capsule_1\.nii\.gz"):
        open_case(case.folder)


def test_sizes_beside_the_masks_are_checked(case):
    write_scan_properties(case.folder, ScanProperties(pixel_mm=(0.2, 0.2)))
    assert "states other sizes" in check_case(case.folder)[0]


def test_the_copy_of_a_scan_that_is_gone_is_reported(tmp_path, scan, mask):
    save_case(tmp_path / "one", scan, mask, copy_scan=True)
    (tmp_path / "one" / "scan.nii.gz").unlink()
    with pytest.raises(InputError, match=r"got no scan\.nii\.gz"):
        open_case(tmp_path / "one")
    assert open_case(tmp_path / "one", source(scan)).scan is not None


def document(case):
    return json.loads((case.folder / "case.json").read_text(encoding="utf-8"))


def rewrite(case, stated):
    (case.folder / "case.json").write_text(json.dumps(stated), encoding="utf-8")


def test_the_schema_in_the_docs_is_the_one_that_is_checked():
    shipped = ROOT / "src/napari_microus/core/case/case-schema.json"
    assert (ROOT / "docs/case-schema.json").read_bytes() == shipped.read_bytes()


def test_every_field_of_the_schema_states_what_it_must_hold():
    schema = json.loads((ROOT / "docs/case-schema.json").read_text(encoding="utf-8"))

    def look(part, where):
        for name, field in part.get("properties", {}).items():
            assert "description" in field or "$ref" in field, f"{where}.{name}"
            look(field, f"{where}.{name}")
        if "items" in part:
            look(part["items"], f"{where}[]")

    look(schema, "")
    assert all("description" in field for field in schema["$defs"].values())


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (["code"], "a/b", "code"),
        (["revision"], 0, "revision"),
        (["created"], "yesterday", "created"),
        (["psa_ng_ml"], -1, "psa_ng_ml"),
        (["psa_ng_ml"], True, "psa_ng_ml"),
        (["diameters_mm"], [1, 2], "diameters_mm"),
        (["diameters_mm"], [1, 2, 0], "diameters_mm[2]"),
        (["note"], 5, "note"),
        (["scan", "file"], "../../etc/passwd", "scan.file"),
        (["scan", "file"], "/etc/passwd", "scan.file"),
        (["scan", "file"], "C:\\scan", "scan.file"),
        (["scan", "pixels_sha256"], "ab", "scan.pixels_sha256"),
        (["scan", "shape"], [5, 20], "scan.shape"),
        (["scan", "shape", 0], 1e12, "scan.shape[0]"),
        (["scan", "shape", 0], 4, "measurements.frames"),
        (["scan", "affine", 0, 0], "x", "scan.affine[0][0]"),
        (["scan", "affine"], [[0.0] * 4] * 4, "scan.affine"),
        (["scan", "has_pixel_size"], 1, "scan.has_pixel_size"),
        (["scan", "properties"], {"pixel_mm": [0, 0]}, "scan.properties"),
        (["scan", "properties", "pixel_mm", 0], 0, "scan.properties"),
        (["mask", "file"], "../capsule_1.nii.gz", "mask.file"),
        (["mask", "sha256"], None, "mask.sha256"),
        (["review", "edited"], [99], "review.edited"),
        (["review", "edited"], [1, 1], "review.edited"),
        (["review", "approved", 0], -1, "review.approved[0]"),
        (
            ["measurements", "frames", 1, "area_px"],
            -5,
            "measurements.frames[1].area_px",
        ),
        (["measurements", "frames", 1, "state"], "?", "measurements.frames[1].state"),
        (["measurements", "frames", 1, "frame"], 3, "measurements.frames"),
        (["measurements", "volume", "ml"], "big", "measurements.volume.ml"),
        (
            ["measurements", "volume", "interval_ml"],
            [1],
            "measurements.volume.interval_ml",
        ),
        (
            ["others"],
            [{"name": "a", "file": "a.nii", "sha256": "x"}],
            "others[0].sha256",
        ),
    ],
)
def test_a_damaged_field_is_named(case, path, value, field):
    stated = document(case)
    part = stated
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    rewrite(case, stated)

    with pytest.raises(InputError) as raised:
        open_case(case.folder)
    assert f"(field '{field}')" in str(raised.value)
    assert str(raised.value).endswith("Open another copy.")


def fields(part, path=()):
    for key, value in part.items():
        yield (*path, key)
        if isinstance(value, dict) and key != "properties":
            yield from fields(value, (*path, key))


def test_every_field_is_missed_by_its_name(case):
    whole = document(case)
    for path in fields(whole):
        stated = json.loads(json.dumps(whole))
        part = stated
        for key in path[:-1]:
            part = part[key]
        del part[path[-1]]
        rewrite(case, stated)
        with pytest.raises(InputError) as raised:
            read_case(case.folder)
        name = ".".join(path)
        if name != "format":
            assert f"(field '{name}'): it is missing" in str(raised.value)


def test_fields_nobody_knows_are_refused(case):
    stated = document(case)
    stated["scan"]["patient"] = "x"
    rewrite(case, stated)
    with pytest.raises(InputError, match=r"field 'scan\.patient'\): it is not known"):
        open_case(case.folder)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "must be JSON"),
        ("{", "must be JSON"),
        ("[" * 100_000, "must be JSON"),
        ('{"format": NaN}', "must be JSON"),
        ("[1, 2]", "another kind of JSON"),
        ('{"format": "other"}', "another kind of JSON"),
        ('{"format": "napari-microus case", "version": 2}', "of version 1 or older"),
        ('{"format": "napari-microus case", "version": "x"}', r"field '"),
    ],
)
def test_what_is_no_case_is_reported(case, text, words):
    (case.folder / "case.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=words):
        open_case(case.folder)


def test_a_number_too_large_is_refused(case):
    text = (
        (case.folder / "case.json")
        .read_text(encoding="utf-8")
        .replace('ng_ml": 4.5', 'ng_ml": 1e999')
    )
    (case.folder / "case.json").write_text(text)
    with pytest.raises(InputError, match="psa_ng_ml"):
        open_case(case.folder)


def test_a_folder_without_a_case_is_reported(tmp_path):
    (tmp_path / "empty").mkdir()
    for place in ("empty", "missing"):
        with pytest.raises(InputError, match=r"a folder with a case\.json"):
            open_case(tmp_path / place)


def test_other_masks_that_share_a_name_are_refused(case):
    stated = document(case)
    stated["others"] = [{"name": "capsule", **stated["mask"]}]
    rewrite(case, stated)
    with pytest.raises(InputError, match="names of their own"):
        open_case(case.folder)


def test_a_scan_of_pictures_is_found_as_its_folder(tmp_path, scan, mask):
    from skimage.io import imsave

    folder = tmp_path / "sweep"
    folder.mkdir()
    for number, frame in enumerate(scan.array):
        imsave(folder / f"{number}.png", frame, check_contrast=False)
    pictures = read_volume(folder)
    save_case(tmp_path / "case", pictures, pictures.like(mask.array))
    assert open_case(tmp_path / "case").scan is not None
    shutil.move(folder, tmp_path / "moved")

    back = open_case(tmp_path / "case", tmp_path / "moved")
    np.testing.assert_array_equal(back.scan.array, scan.array)
