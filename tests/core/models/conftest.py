"""The stored outputs of the published network, and the weights they belong to."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

REFERENCE = Path(__file__).parents[2] / "reference"
SCALES = ("logits", "half", "quarter", "eighth")


def _formula():
    spec = importlib.util.spec_from_file_location(
        "formula_weights", REFERENCE / "formula_weights.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def assert_reference_outputs():
    """Compare a network's outputs with the stored ones.

    These were computed in float32. Of that, processors make different numbers; of
    float64 all make the same. The stored ones are off from it by up to 1.6e-4 in the
    mean and 6e-4 at most; other epsilons of group normalisation by 2.2e-4 or more.
    """

    def compare(model, image, expected):
        with torch.no_grad():
            rounded = model(image)
            exact = model.double()(image.double())
        for scale, stored in expected.items():
            difference = getattr(exact, scale).numpy() - stored
            assert np.sqrt(np.square(difference).mean()) < 1.8e-4, scale
            assert np.abs(difference).max() < 1e-3, scale
            np.testing.assert_allclose(
                getattr(rounded, scale), stored, rtol=0, atol=1e-3, err_msg=scale
            )

    return compare


@pytest.fixture(scope="session")
def reference():
    """Read a network's reference: dimensions, weights, input, npz and outputs."""
    formula = _formula()
    described = json.loads((REFERENCE / "transunet.json").read_text(encoding="utf-8"))
    with np.load(REFERENCE / "transunet.npz") as stored:
        outputs = dict(stored)

    def read(name: str) -> SimpleNamespace:
        meta = described[name]
        salt, npz_salt = meta["salt"], meta["npz_salt"]
        image = formula.formula_image(meta["batch"], meta["image_size"], salt)
        return SimpleNamespace(
            dims=meta["dims"],
            image=torch.from_numpy(image),
            state_dict=lambda: {
                key: torch.from_numpy(
                    np.asarray(formula.formula_tensor(key, tuple(shape), salt=salt))
                )
                for key, shape in meta["state_dict"].items()
            },
            npz=lambda: {
                key: formula.formula_tensor(
                    key, tuple(shape), layout="jax", salt=npz_salt
                )
                for key, shape in meta["imagenet21k_npz"].items()
            },
            outputs={scale: outputs[f"{name}_{scale}"] for scale in SCALES},
            npz_outputs={scale: outputs[f"{name}_npz_{scale}"] for scale in SCALES},
        )

    return read
