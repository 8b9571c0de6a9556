import os
import stat

import numpy as np
import pytest

from dicom_files import dataset, save
from napari_microus.core.errors import InputError
from napari_microus.core.io.pseudonym import (
    dicom_pseudonym,
    pseudonym,
    pseudonym_key,
    pseudonym_key_path,
)

KEY = bytes(range(32))


def test_one_patient_has_one_pseudonym():
    # By hand: printf 12345 | openssl dgst -sha256 -mac HMAC -macopt hexkey:0001…1f,
    # its first 10 bytes in base 32.
    assert pseudonym("12345", KEY) == pseudonym(" 12345 ", KEY)
    assert pseudonym("Doe^Jane", KEY) == pseudonym("DOE^JANE", KEY)
    assert pseudonym("12345", KEY) != pseudonym("12346", KEY)
    assert pseudonym("12345", KEY) != pseudonym("12345", KEY[::-1])
    assert "12345" not in pseudonym("12345", KEY)


def test_it_is_the_keyed_hash():
    import base64
    import hashlib

    # RFC 2104 written out, as a second implementation.
    inner = bytes(b ^ 0x36 for b in KEY.ljust(64, b"\0"))
    outer = bytes(b ^ 0x5C for b in KEY.ljust(64, b"\0"))
    digest = hashlib.sha256(outer + hashlib.sha256(inner + b"12345").digest()).digest()
    assert pseudonym("12345", KEY) == f"P-{base64.b32encode(digest)[:16].decode()}"


@pytest.mark.parametrize(("who", "key"), [("", KEY), ("  ", KEY), ("1", b"short")])
def test_nobody_and_no_key_are_refused(who, key):
    with pytest.raises(InputError, match=r"must .*; got "):
        pseudonym(who, key)


def test_the_key_is_made_once_and_kept_from_others(tmp_path):
    path = tmp_path / "state" / "pseudonym.key"

    key = pseudonym_key(path)

    assert len(key) == 32
    assert pseudonym_key(path) == key
    assert [p.name for p in path.parent.iterdir()] == ["pseudonym.key"]
    if os.name != "nt":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert pseudonym_key(tmp_path / "other.key") != key


def test_the_key_lies_in_the_users_state_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert pseudonym_key_path().name == "pseudonym.key"
    assert "napari-microus" in str(pseudonym_key_path())


def test_a_damaged_key_is_not_replaced(tmp_path):
    path = tmp_path / "k"
    path.write_text("no key")
    with pytest.raises(InputError, match="must be hexadecimal"):
        pseudonym_key(path)
    path.write_text("abcd")
    with pytest.raises(InputError, match="must have 32 bytes; got 2"):
        pseudonym_key(path)


def test_dicom_files_of_one_patient_have_one(tmp_path):
    frame = np.zeros((4, 5), np.uint8)
    one = save(dataset(frame, PatientID="77"), tmp_path / "a.dcm")
    same = save(dataset(frame, PatientID="77", PatientName="X"), tmp_path / "b.dcm")
    other = save(dataset(frame, PatientID="78"), tmp_path / "c.dcm")
    named = dataset(frame, PatientID="", PatientBirthDate="19430101")
    nobody = dataset(frame, PatientID="", PatientName="")

    assert dicom_pseudonym(one, KEY) == dicom_pseudonym(same, KEY)
    assert dicom_pseudonym(one, KEY) != dicom_pseudonym(other, KEY)
    assert str(dicom_pseudonym(save(named, tmp_path / "d.dcm"), KEY)).startswith("P-")
    assert dicom_pseudonym(save(nobody, tmp_path / "e.dcm"), KEY) is None
