"""Reference numbers by MedPy's conventions; see tests/reference."""

import json
from pathlib import Path

import numpy as np
import pytest

REFERENCE = Path(__file__).parents[2] / "reference"


@pytest.fixture(scope="session")
def stored():
    with np.load(REFERENCE / "metrics.npz") as arrays:
        return json.loads(
            (REFERENCE / "metrics.json").read_text(encoding="utf-8")
        ), dict(arrays)


@pytest.fixture(params=range(6))
def case(request, stored):
    """One golden case: its numbers, prediction and reference (Z, Y, X)."""
    numbers, arrays = stored
    names = (f"case{request.param}_prediction", f"case{request.param}_reference")
    return numbers[request.param], *(arrays[name] for name in names)
