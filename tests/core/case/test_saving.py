import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from napari_microus.core.case import (
    CaseMask,
    check_case,
    open_case,
    pixels_sha256,
    read_case,
    save_case,
    saving_case,
)
from napari_microus.core.case import files as case_files
from napari_microus.core.edit.review import Review
from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.io import (
    read_mask,
    read_provenance,
    read_volume,
    write_mask,
    write_scan_properties,
    write_volume,
)
from napari_microus.core.io.scan_properties import ScanProperties
from napari_microus.core.sweep import Sweep
from napari_microus.core.volume import Volume


def names(folder):
    return sorted(p.name for p in folder.iterdir() if p.name != ".case.lock")


def content(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name != ".case.lock"}


def test_a_case_comes_back_as_it_was_saved(tmp_path, scan, mask, made):
    review = Review(5, {2}, {1}, [2, 3])
    saved = save_case(
        tmp_path / "case",
        scan,
        mask,
        code="P-7",
        provenance=made,
        review=review,
        psa_ng_ml=6.2,
        diameters_mm=(50, 40, 30),
        note="Second look at frame 2.",
        others={"trainee": CaseMask(mask.like(np.flip(mask.array, 1)), {"model": "x"})},
    )

    back = open_case(tmp_path / "case")

    assert (back.code, back.note, back.revision) == (
        "P-7",
        "Second look at frame 2.",
        1,
    )
    np.testing.assert_array_equal(back.scan.array, scan.array)
    np.testing.assert_array_equal(back.mask.array, mask.array)
    assert back.scan.shares_grid(scan)
    assert back.mask.shares_grid(scan)
    assert back.scan.knows_frame_distance
    assert back.review == review
    assert back.measurements == saved.measurements
    # 5 × 0.5 mm by 6 × 0.4 mm in three frames of 2 mm
    assert back.measurements.volume.ml == pytest.approx(6 * 3 * 2 / 1000)
    assert back.measurements.psa_ng_ml == 6.2
    assert back.measurements.ellipsoid.ml == pytest.approx(0.524 * 60)
    assert back.provenance["model_version"] == "3"
    np.testing.assert_array_equal(
        back.others["trainee"].mask.array, np.flip(mask.array, 1)
    )
    assert back.others["trainee"].provenance["model"] == "x"
    assert not back.notices
    assert check_case(tmp_path / "case") == ()


def test_the_folder_holds_what_the_document_says(tmp_path, scan, mask, made):
    save_case(tmp_path / "case", scan, mask, provenance=made, code="P-7")

    assert names(tmp_path / "case") == [
        "capsule_1.json",
        "capsule_1.nii.gz",
        "case.json",
        "scan.json",
    ]
    document = json.loads((tmp_path / "case" / "case.json").read_text(encoding="utf-8"))
    assert document["scan"]["file"] is None
    assert document["review"]["edited"] == [2]
    # A mask that is opened alone holds who drew it, and its true size.
    alone = tmp_path / "case" / "capsule_1.nii.gz"
    assert read_provenance(alone)["review"] == {"edited": [2], "approved": [1]}
    assert read_mask(alone).spacing_mm == pytest.approx((2.0, 0.5, 0.4))


def test_no_name_of_a_file_or_an_image_is_kept(tmp_path, scan, mask, made):
    place = tmp_path / "ZQNAME_1943" / "ZQSCAN.nii.gz"
    write_volume(scan, place)
    case = save_case(tmp_path / "case", read_volume(place), mask, provenance=made)

    text = "".join(p.read_bytes().decode("latin-1") for p in case.folder.iterdir())
    assert "ZQNAME" not in text
    assert "ZQSCAN" not in text
    assert str(tmp_path) not in text
    assert case.code.startswith("C-")
    assert save_case(tmp_path / "again", scan, mask).code == case.code


def test_geometry_and_sweep_that_a_person_stated_come_back(tmp_path, mask):
    array = np.random.default_rng(0).integers(0, 9, mask.shape, np.uint8)
    path = tmp_path / "plain.nii.gz"
    write_volume(Volume(array, has_geometry=False), path)
    sweep = Sweep("rotational", "columns", -9.5, (-40, -20, 0, 20, 40))
    stated = ScanProperties(pixel_mm=(0.05, 0.04), sweep=sweep)
    write_scan_properties(path, stated)
    scan = read_volume(path)
    saved = save_case(tmp_path / "case", scan, scan.like(mask.array), copy_scan=True)
    assert "Pappus" in saved.measurements.volume.method

    write_scan_properties(path, ScanProperties())  # forgotten beside the scan
    back = open_case(tmp_path / "case")

    assert back.scan.spacing_mm[1:] == pytest.approx((0.05, 0.04))
    assert back.scan.metadata["sweep"] == sweep.to_dict()
    assert not back.mask.knows_frame_distance
    assert back.reference.size_from == "scan properties"
    assert back.measurements.volume.ml == saved.measurements.volume.ml
    # Every other reader finds them beside the mask.
    alone = read_mask(tmp_path / "case" / "capsule_1.nii.gz")
    assert alone.metadata["sweep"] == sweep.to_dict()
    assert alone.spacing_mm[1:] == pytest.approx((0.05, 0.04))


def test_nothing_is_in_mm_of_a_scan_without_size(tmp_path, mask):
    array = np.random.default_rng(0).integers(0, 9, mask.shape, np.uint8)
    path = tmp_path / "plain.nii.gz"
    write_volume(Volume(array, has_geometry=False), path)
    scan = read_volume(path)
    save_case(tmp_path / "case", scan, scan.like(mask.array))

    back = open_case(tmp_path / "case")
    assert not back.scan.has_geometry
    assert not back.mask.has_geometry
    assert back.measurements.frames[1].area_mm2 is None

    # Told later, the size is taken: the case has none that could contradict.
    write_scan_properties(path, ScanProperties(pixel_mm=(0.1, 0.1)))
    sized = open_case(tmp_path / "case")
    assert sized.mask.spacing_mm[1:] == pytest.approx((0.1, 0.1))
    assert any("was stated after the case" in notice for notice in sized.notices)


def test_interval_stays_when_the_probability_is_gone(tmp_path, scan, mask):
    probability = np.where(mask.array > 0, 0.9, 0.1)
    probability[:, 4:9, 12:14] = 0.5
    case = save_case(tmp_path / "case", scan, mask, probability=probability)
    assert case.measurements.volume.interval_ml is not None

    back = open_case(case.folder)
    array = back.mask.array.copy()
    array[1, 4] = 0
    again = save_case(
        case.folder,
        back.scan,
        back.mask.like(array),
        review=Review(5, edited={1}),
        opened=back,
    )

    assert again.measurements.volume.interval_ml is not None
    share = case.measurements.frames[2].area_sd_share
    assert again.measurements.frames[1].area_sd_share == pytest.approx(share)


def test_saving_again_replaces_the_case_and_leaves_other_files(tmp_path, scan, mask):
    first = save_case(tmp_path / "case", scan, mask, code="P-7")
    (tmp_path / "case" / "letter.txt").write_text("theirs")

    second = save_case(
        tmp_path / "case",
        scan,
        mask.like(np.flip(mask.array, 1)),
        note="mended",
        opened=open_case(first.folder),
    )

    assert (second.revision, second.code, second.created) == (2, "P-7", first.created)
    assert names(tmp_path / "case") == [
        "capsule_2.json",
        "capsule_2.nii.gz",
        "case.json",
        "letter.txt",
        "scan.json",
    ]
    back = open_case(tmp_path / "case")
    np.testing.assert_array_equal(back.mask.array, np.flip(mask.array, 1))
    assert back.note == "mended"


def test_a_case_is_not_replaced_unasked(tmp_path, scan, mask):
    save_case(tmp_path / "case", scan, mask)
    before = content(tmp_path / "case")

    with pytest.raises(OutputError, match="already exists"):
        save_case(tmp_path / "case", scan, mask)
    assert content(tmp_path / "case") == before
    assert save_case(tmp_path / "case", scan, mask, overwrite=True).revision == 2


def test_a_case_of_another_scan_is_never_replaced(tmp_path, scan, mask):
    save_case(tmp_path / "case", scan, mask)
    other = scan.like(scan.array[::-1].copy(), **scan.metadata)
    before = content(tmp_path / "case")

    with pytest.raises(OutputError, match="must stay one of the same scan"):
        save_case(tmp_path / "case", other, mask, overwrite=True, copy_scan=True)
    assert content(tmp_path / "case") == before


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_of_other_things_is_refused(tmp_path, scan, mask, overwrite):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "letter.txt").write_text("theirs")
    (tmp_path / "file").write_text("a file")

    for taken in ("theirs", "file"):
        with pytest.raises(OutputError, match="a folder of its own"):
            save_case(tmp_path / taken, scan, mask, overwrite=overwrite)
    assert names(tmp_path / "theirs") == ["letter.txt"]
    (tmp_path / "empty").mkdir()
    assert save_case(tmp_path / "empty", scan, mask).revision == 1


def test_two_writers_do_not_overtake_each_other(tmp_path, scan, mask):
    save_case(tmp_path / "case", scan, mask)
    mine, yours = open_case(tmp_path / "case"), open_case(tmp_path / "case")
    save_case(tmp_path / "case", scan, mask, note="yours", opened=yours)
    before = content(tmp_path / "case")

    with pytest.raises(OutputError, match=r"saved elsewhere on .* after it was opened"):
        save_case(tmp_path / "case", scan, mask, note="mine", opened=mine)
    with FileLock(tmp_path / "case" / ".case.lock"):
        with pytest.raises(OutputError, match="Somebody else is saving this case"):
            save_case(tmp_path / "case", scan, mask, overwrite=True)
    assert content(tmp_path / "case") == before
    assert open_case(tmp_path / "case").note == "yours"


def failing(*_args, **_kwargs):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("where", ["write_mask", "encoded"])
def test_a_full_disk_leaves_what_was_there(tmp_path, scan, mask, monkeypatch, where):
    def full(*args, **kwargs):
        raise OutputError("Cannot write to it (No space left on device).")

    save_case(tmp_path / "old", scan, mask)
    before = content(tmp_path / "old")
    monkeypatch.setattr(case_files, where, full)

    for name in ("old", "new"):
        with pytest.raises(OutputError, match="No space"):
            save_case(tmp_path / name, scan, mask, overwrite=True, copy_scan=True)
    assert content(tmp_path / "old") == before
    assert not (tmp_path / "new").exists()
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []
    assert open_case(tmp_path / "old").revision == 1


def test_a_saving_that_is_cancelled_leaves_nothing(tmp_path, scan, mask):
    steps = 1 + sum(1 for _ in saving_case(tmp_path / "whole", scan, mask))
    for step in range(1, steps - 1):
        work = saving_case(tmp_path / "new", scan, mask)
        for _ in range(step):
            next(work)
        work.close()
        assert not (tmp_path / "new").exists()
        assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to any folder")
def test_a_folder_that_cannot_be_written_is_reported(tmp_path, scan, mask):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(OutputError, match="Cannot write to"):
        save_case(tmp_path / "locked" / "case", scan, mask)


def test_a_place_that_is_no_folder_is_reported(tmp_path, scan, mask, monkeypatch):
    (tmp_path / "file").write_text("a file")
    with pytest.raises(OutputError, match="Cannot write to"):
        save_case(tmp_path / "file" / "case", scan, mask)
    monkeypatch.setattr("napari_microus.core.files.mkdtemp", failing)
    with pytest.raises(OutputError, match=r"Cannot write .*\(No space left"):
        save_case(tmp_path / "new", scan, mask)


def test_a_copy_is_kept_where_the_file_does_not_give_the_scan_again(
    tmp_path, scan, mask
):
    made_here = Volume(scan.array, scan.affine)  # of no file
    kept = save_case(tmp_path / "one", made_here, mask)
    assert kept.reference.file == "scan.nii.gz"
    cut = replace(scan, array=scan.array[:, 2:-2])  # another part than the file's
    other = save_case(tmp_path / "two", cut, cut.like(mask.array[:, 2:-2]))
    assert other.reference.file == "scan.nii.gz"
    assert save_case(tmp_path / "three", scan, mask).reference.file is None

    with pytest.raises(InputError, match="Save a copy of the scan"):
        save_case(tmp_path / "four", made_here, mask, copy_scan=False)
    np.testing.assert_array_equal(open_case(tmp_path / "one").scan.array, scan.array)


def test_a_copy_outlives_savings_and_a_persons_file_is_not_replaced(
    tmp_path, scan, mask
):
    save_case(tmp_path / "case", scan, mask, copy_scan=True)
    again = save_case(tmp_path / "case", scan, mask, overwrite=True)
    assert again.reference.file == "scan.nii.gz"
    assert open_case(tmp_path / "case").scan is not None

    save_case(tmp_path / "other", scan, mask)
    (tmp_path / "other" / "scan.nii.gz").write_bytes(b"theirs")
    with pytest.raises(OutputError, match="must not replace another file"):
        save_case(tmp_path / "other", scan, mask, overwrite=True, copy_scan=True)
    assert (tmp_path / "other" / "scan.nii.gz").read_bytes() == b"theirs"


@pytest.mark.parametrize(
    "array",
    [
        np.arange(24, dtype=np.int16).reshape(2, 3, 4) - 5,
        np.arange(24, dtype=np.int64).reshape(2, 3, 4),
        np.arange(24, dtype=">u2").reshape(2, 3, 4),
        (np.arange(24, dtype=np.float16) / 7).reshape(2, 3, 4),
        np.arange(24).reshape(2, 3, 4) % 2 > 0,
    ],
)
def test_a_copy_has_the_digest_of_its_scan(tmp_path, array):
    scan = Volume.from_spacing(array, (1, 0.3, 0.7))
    case = save_case(tmp_path / "case", scan, scan.like(np.ones(array.shape, np.uint8)))

    assert open_case(case.folder).reference.pixels_sha256 == pixels_sha256(scan)
    other = array.copy()
    other[0, 0, 0] = other[0, 0, 1]
    assert pixels_sha256(scan.like(other)) != pixels_sha256(scan)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"code": ""}, "The code of a case must be"),
        ({"code": "Müller, Hans"}, "The code of a case must be"),
        ({"code": "../../etc"}, "The code of a case must be"),
        ({"code": "x" * 65}, "The code of a case must be"),
        ({"note": "x" * 10_001}, "A note must have"),
        ({"psa_ng_ml": -2}, "PSA must be"),
        ({"diameters_mm": (1, 2)}, "length, width and height"),
        ({"others": {"capsule": None}}, "another name than the capsule"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_written(
    tmp_path, scan, mask, given, words
):
    if "others" in given:
        given = {"others": {"capsule": CaseMask(mask)}}
    with pytest.raises(InputError, match=words):
        save_case(tmp_path / "case", scan, mask, **given)
    assert not (tmp_path / "case").exists()


def test_a_mask_of_another_grid_is_refused(tmp_path, scan, mask):
    with pytest.raises(InputError, match="must share a grid"):
        save_case(tmp_path / "case", scan, replace(mask, array=mask.array[1:]))
    assert not (tmp_path / "case").exists()


def test_what_a_killed_saving_left_is_taken_and_removed(tmp_path, scan, mask):
    folder = save_case(tmp_path / "case", scan, mask).folder
    for number in (2, 9):  # killed before case.json, and after it
        shutil.copy(folder / "capsule_1.nii.gz", folder / f"capsule_{number}.nii.gz")
        shutil.copy(folder / "capsule_1.json", folder / f"capsule_{number}.json")

    save_case(folder, scan, mask, overwrite=True)

    expected = ["capsule_2.json", "capsule_2.nii.gz", "case.json", "scan.json"]
    assert names(folder) == expected


def test_a_persons_file_of_a_masks_name_is_kept(tmp_path, scan, mask):
    folder = save_case(tmp_path / "case", scan, mask).folder
    write_mask(mask, folder / "capsule_2.nii.gz", provenance={"model": "theirs"})
    (folder / "capsule_3.json").write_text("theirs")
    before = (folder / "capsule_2.nii.gz").read_bytes()

    again = save_case(folder, scan, mask, overwrite=True)
    save_case(folder, scan, mask, opened=again)

    assert (folder / "capsule_2.nii.gz").read_bytes() == before
    assert (folder / "capsule_3.json").read_text(encoding="utf-8") == "theirs"
    assert (folder / "capsule_3_2.nii.gz").exists()
    assert not (folder / "capsule_2_2.nii.gz").exists()
    assert read_case(folder).revision == 3


def test_a_case_moves_with_its_folder(tmp_path, scan, mask):
    save_case(tmp_path / "case", scan, mask, copy_scan=True)
    shutil.move(tmp_path / "case", tmp_path / "elsewhere")
    Path(scan.metadata["source"]).unlink()

    assert open_case(tmp_path / "elsewhere").scan is not None
    assert check_case(tmp_path / "elsewhere") == ()
