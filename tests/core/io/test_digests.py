import hashlib
import json

import pytest

from napari_microus.core.errors import InputError
from napari_microus.core.io.digests import content_digest


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def test_one_file_has_the_digest_that_sha256sum_prints(tmp_path):
    path = tmp_path / "scan.nii.gz"
    path.write_bytes(b"voxels")
    assert content_digest(path) == sha256(b"voxels")


def test_a_changed_file_is_read_again(tmp_path):
    path = tmp_path / "scan.nii.gz"
    path.write_bytes(b"one")
    content_digest(path)
    path.write_bytes(b"other")
    assert content_digest(path) == sha256(b"other")


def test_voxels_beside_a_header_belong_to_it(tmp_path):
    (tmp_path / "scan.mhd").write_text("ElementDataFile = scan.raw")
    (tmp_path / "scan.raw").write_bytes(b"one")
    (tmp_path / "scan.nii.gz").write_bytes(b"a mask saved beside it")
    before = content_digest(tmp_path / "scan.mhd")
    (tmp_path / "scan.nii.gz").write_bytes(b"another mask")
    assert content_digest(tmp_path / "scan.mhd") == before
    (tmp_path / "scan.raw").write_bytes(b"other")
    assert content_digest(tmp_path / "scan.mhd") != before


def test_a_folder_is_all_its_frames(tmp_path):
    (tmp_path / "scan").mkdir()
    for name in "ab":
        (tmp_path / "scan" / f"{name}.png").write_bytes(name.encode())
    both = sha256((sha256(b"a") + sha256(b"b")).encode())
    assert content_digest(tmp_path / "scan") == both


def test_properties_stated_about_a_scan_count(tmp_path):
    path = tmp_path / "scan.png"
    path.write_bytes(b"frame")
    before = content_digest(path)
    (tmp_path / "scan.scan.json").write_text(json.dumps({"pixel_mm": [1, 1]}))
    assert content_digest(path) != before


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"must be readable; got .*gone\.png"):
        content_digest(tmp_path / "gone.png")
