import numpy as np
import pytest

from napari_microus.core.io import read_volume, write_volume
from napari_microus.core.volume import Volume

SHAPE = (5, 20, 24)


@pytest.fixture(autouse=True)
def own_state(tmp_path, monkeypatch):
    """Nothing is remembered in the user's own folders."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def scan(tmp_path):
    """A scan in a file of its own: pixels of 0.5 × 0.4 mm, frames 2 mm apart."""
    array = np.random.default_rng(4).integers(0, 255, SHAPE, np.uint8)
    path = tmp_path / "scans" / "scan.nii.gz"
    write_volume(Volume.from_spacing(array, (2.0, 0.5, 0.4)), path)
    return read_volume(path)


@pytest.fixture
def mask(scan):
    """5 × 6 pixels in frames 1 to 3: 6 mm² each, 36 mm³ in all."""
    array = np.zeros(SHAPE, np.uint8)
    array[1:4, 4:9, 6:12] = 1
    return scan.like(array)


@pytest.fixture
def made():
    """A provenance as *Segment capsule* and *Correct capsule* leave it."""
    return {
        "task": "segment",
        "image": "ZQNAME_1943",
        "image_id": "1234",
        "model": "microus-small",
        "model_version": "3",
        "weights_sha256": "ab" * 32,
        "date": "2026-01-02T03:04:05+00:00",
        "frames": "all",
        "settings": {"threshold": 0.5},
        "confidence": {"frames": {"1": 0.97, "2": 0.8, "3": 0.95}, "look_first": [2]},
        "review": {"edited": [2], "approved": [1]},
    }
