import copy
import pickle

import numpy as np
import pytest

from napari_microus.core import errors
from napari_microus.core.errors import (
    InputError,
    MicroUSError,
    OutputError,
    plain_words,
)
from napari_microus.core.io import read_volume
from napari_microus.core.preprocess import intensity_window

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, MicroUSError)
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_has_a_sentence_for_the_caller_and_one_for_people(kind):
    error = kind("A size must be 2; got 3.", plain="The size is wrong. Choose 2.")
    for one in (error, copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert str(one) == "A size must be 2; got 3."
        assert one.plain == plain_words(one) == "The size is wrong. Choose 2."
    assert kind("A size must be 2; got 3.").plain == "A size must be 2; got 3."


def test_an_error_of_others_is_reported_as_it_is_and_never_empty():
    assert plain_words(ValueError("odd")) == "odd"
    assert plain_words(ZeroDivisionError()) == "ZeroDivisionError"
    assert plain_words(OutputError(28, "No space")) == "[Errno 28] No space"
    shut_off = PermissionError(13, "Permission denied", "scans")
    assert plain_words(shut_off) == (
        "scans cannot be used (Permission denied). Check the name and the permissions."
    )


def reading(path):
    def read():
        read_volume(path)

    return read


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.dcm", b"nothing", "Cannot read a.dcm: not a DICOM image, or incomplete"),
        ("a.nii", b"nothing", "Cannot read a.nii: not a NIfTI file, or incomplete"),
        ("a.png", b"", "a.png is empty"),
        ("a.doc", b"text", "Cannot open a.doc: this kind of file is not known here"),
    ],
)
def test_a_file_that_cannot_be_read_is_reported_in_plain_words(
    tmp_path, name, content, words
):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as stated:
        read_volume(tmp_path / name)
    assert stated.value.plain.startswith(words)
    for code in ("must be", "must hold", "; got"):
        assert code not in stated.value.plain


def test_a_blank_image_is_called_so():
    with pytest.raises(InputError, match=r"more than one intensity; got 0") as stated:
        intensity_window(np.zeros((1, 4, 4), np.uint8))
    assert stated.value.plain.startswith("This image is blank.")


def test_a_mask_in_the_place_of_a_scan_is_reported():
    array = np.zeros((2, 4, 4), np.uint8)
    array[1, 2] = 1
    with pytest.raises(InputError, match=r"got 0 and 1 alone") as stated:
        intensity_window(array)
    assert stated.value.plain == (
        "This image holds only 0 and 1, as a mask does. Choose the scan."
    )


def test_a_scan_that_is_scaled_to_one_keeps_its_window():
    scaled = np.linspace(0, 1, 32, dtype=np.float32).reshape(2, 4, 4)
    assert intensity_window(scaled) == (0.0, 1.0)
    dark = np.array([[[0, 1], [2, 1]]], np.uint8)
    assert intensity_window(dark) == (0.0, 255.0)
    assert intensity_window(dark.astype(np.int16)) == (0.0, 2.0)
    assert intensity_window(scaled > 0.5) == (0.0, 1.0)
