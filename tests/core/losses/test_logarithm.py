"""The fast logarithm is PyTorch's to the last bits, wherever it is taken."""

import numpy as np
import pytest
import torch

from napari_microus.core.losses import logarithm


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
@pytest.mark.parametrize("has_avx512", [True, False])
def test_is_the_logarithm(monkeypatch, kind, has_avx512):
    monkeypatch.setattr(logarithm, "_has_avx512", lambda: has_avx512)
    x = torch.logspace(-7, 1, 40_001, dtype=kind).reshape(1, 1, 1, -1)
    before = x.clone()
    found = logarithm.log2(x).double().numpy()
    expected = np.log2(x.double().numpy())
    unit = np.spacing(np.abs(expected).astype(x.numpy().dtype))
    assert (np.abs(found - expected) <= 4 * unit).all()
    assert torch.equal(x, before)


def test_half_precision_and_other_devices_are_pytorchs(monkeypatch):
    monkeypatch.setattr(logarithm, "_has_avx512", lambda: True)
    assert logarithm.log2(torch.tensor([4.0]).bfloat16()).item() == 2
    assert logarithm.log2(torch.ones(3, device="meta")).shape == (3,)
