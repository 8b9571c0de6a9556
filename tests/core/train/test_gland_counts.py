"""A lost gland and a contour where there is none are counted, which DSC does not."""

import numpy as np
import pytest
import torch

from napari_microus.core.train.model_comparison import gland_counts, scores_from
from napari_microus.core.train.training_data import ValidationCase
from napari_microus.core.train.validate import CaseScore, score_case
from napari_microus.core.volume import Volume


def test_frames_are_counted_by_what_expert_and_network_drew():
    """Found, lost, lost, falsely drawn, rightly empty: the network sees brightness."""
    scan, expert = np.zeros((2, 5, 32, 32), np.uint8)
    for frame, is_bright, is_gland in (
        (0, True, True),
        (1, False, True),
        (2, False, True),
        (3, True, False),
        (4, False, False),
    ):
        scan[frame, 8:24, 8:24] = 255 if is_bright else 0
        expert[frame, 8:24, 8:24] = is_gland
    volumes = [Volume(array, np.eye(4)) for array in (scan, expert)]
    found = score_case(
        lambda x: (x - 0.5) * 20,
        lambda output, expert, nonexpert: torch.zeros(()),
        ValidationCase("c", "p", lambda: (*volumes, None)),
        size=32,
        device=torch.device("cpu"),
        frames=None,
        batch_size=2,
        cancelled=lambda: False,
    )
    assert (found.frames, found.glands, found.lost, found.false_contours) == (
        5,
        3,
        2,
        1,
    )
    assert found.dice == pytest.approx(1 / 3, abs=0.05)


def test_counts_are_summed_and_left_out_where_nobody_counted():
    scores = [
        CaseScore("a", "p", 0.9, 1.0, 0.1, 5, glands=3, lost=2, false_contours=1),
        CaseScore("b", "q", 0.9, 1.0, 0.1, 4, glands=4, false_contours=0),
    ]
    assert gland_counts(scores) == {
        "validation_frames": 9,
        "validation_glands": 7,
        "validation_glands_lost": 2,
        "validation_false_contours": 1,
    }
    old = {"case": "a", "patient": "p", "dice": 0.9, "hd95_mm": 1.0, "loss": 0.1}
    assert gland_counts(scores_from([old | {"frames": 5}])) == {}
