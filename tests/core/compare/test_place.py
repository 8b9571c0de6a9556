import numpy as np
import pytest

from napari_microus.core.compare.place import axis_ends, disagreement_by_place
from napari_microus.core.disagreement import disagreement_map
from napari_microus.core.volume import Volume


def test_rows_and_columns_carry_the_names_of_the_patient():
    dicom_like = Volume.from_spacing(np.zeros((1, 1, 1)), (1, 1, 1)).affine
    assert axis_ends(dicom_like) == (("anterior", "posterior"), ("right", "left"))
    assert axis_ends(np.eye(4)) == (("posterior", "anterior"), ("left", "right"))
    sagittal = np.array([[0, 0, 1, 0], [1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1.0]])
    assert axis_ends(sagittal) == (("head", "foot"), ("posterior", "anterior"))


def test_disagreement_is_split_at_the_centre_of_what_was_drawn():
    expert = np.zeros((6, 20, 20), np.uint8)
    expert[:, 6:14, 6:14] = 1
    nonexpert = expert.copy()
    nonexpert[0, 6:14, 14:16] = 1  # 16 px on the high columns, first third
    affine = Volume.from_spacing(expert, (1, 1, 1)).affine

    table = {
        share.place: share
        for share in disagreement_by_place(disagreement_map(expert, nonexpert), affine)
    }

    assert table["left"].nonexpert_only_px == 16
    assert table["left"].share == 1
    assert table["right"].share == 0
    assert table["anterior"].share == pytest.approx(0.5)
    assert table["posterior"].share == pytest.approx(0.5)
    assert [table[f"{n} third"].share for n in ("first", "middle", "last")] == [1, 0, 0]
    assert table["first third"].disputed_of_drawn == pytest.approx(16 / (16 + 128))


def test_nothing_drawn_has_no_share():
    nothing = np.zeros((2, 4, 4), np.uint8)
    shares = disagreement_by_place(nothing, np.eye(4))
    assert len(shares) == 7
    assert all(np.isnan(share.share) for share in shares)
