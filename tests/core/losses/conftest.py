"""Reference numbers of the published implementations; see tests/reference."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

REFERENCE = Path(__file__).parents[2] / "reference"


@pytest.fixture(scope="session")
def numbers():
    return json.loads((REFERENCE / "losses.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def arrays():
    with np.load(REFERENCE / "losses.npz") as stored:
        return dict(stored)


@pytest.fixture(params=range(6))
def case(request, numbers, arrays):
    """One golden case: its numbers, and its arrays as (B, 1, H, W)."""
    found = dict(numbers["annotation_losses"][request.param])
    for name in ("logits", "expert", "nonexpert", "adaptive_grad_ks4"):
        found[name] = torch.from_numpy(arrays[f"case{request.param}_{name}"])[:, None]
    return found


@pytest.fixture
def pair():
    """Logits, an expert's disc and a non-expert's, shifted and larger."""
    rows, columns = torch.meshgrid(torch.arange(20), torch.arange(24), indexing="ij")
    expert = ((rows - 9) ** 2 + (columns - 11) ** 2 < 36).to(torch.uint8)
    nonexpert = ((rows - 11) ** 2 + (columns - 10) ** 2 < 49).to(torch.uint8)
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 1, 20, 24, generator=generator)
    shape = (3, 1, 20, 24)
    return logits, expert.expand(shape).clone(), nonexpert.expand(shape).clone()
