import numpy as np
import pytest
import torch
from scipy.spatial import KDTree

from napari_microus.core.train.small_numbers import (
    small_numbers_as_zero,
    start_threads,
)

CPU = torch.device("cpu")


def are_zero():
    return bool((torch.full((4,), 1e-38) * 0.1 == 0).all())


def test_small_numbers_are_zero_inside_alone():
    assert not are_zero()
    with small_numbers_as_zero(CPU):
        assert are_zero()
    assert not are_zero()
    with pytest.raises(ValueError, match="inside"), small_numbers_as_zero(CPU):
        raise ValueError("inside")
    assert not are_zero()


def test_who_wants_them_as_zero_keeps_them_so():
    torch.set_flush_denormal(True)
    try:
        with small_numbers_as_zero(CPU):
            assert are_zero()
        assert are_zero()
    finally:
        torch.set_flush_denormal(False)


def test_after_the_threads_have_started_scipy_searches_as_before():
    """Its tree ended the process where small numbers were 0."""
    start_threads(CPU)
    assert not are_zero()
    points = np.zeros((400, 2))
    points[:, 0] = np.arange(400) % 2 * 5e-324
    distance, _ = KDTree(points, leafsize=2).query([[1.0, 0.0]])
    assert distance[0] == 1
