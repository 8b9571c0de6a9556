import numpy as np
import pytest

from drained import drained
from napari_microus.core.config import TrainConfig
from napari_microus.core.study import Study
from napari_microus.core.volume import Volume
from tiny_network import TINY


@pytest.fixture
def case_of():
    """Make a scan of a bright disc with both masks, its looks set by a seed."""

    def make(seed, frames=2, shape=(40, 48)):
        rng = np.random.default_rng(seed)
        rows, columns = np.mgrid[: shape[0], : shape[1]]
        disc = (rows - 20) ** 2 + (columns - 24) ** 2 < (8 + seed % 5) ** 2
        mask = np.repeat(disc[None], frames, axis=0).astype(np.uint8)
        noise = rng.integers(0, 60, mask.shape)
        scan = Volume.from_spacing((mask * 150 + noise).astype(np.uint8), (1, 0.2, 0.1))
        return scan, scan.like(mask), scan.like(np.roll(mask, 2, axis=1))

    return make


@pytest.fixture
def study_of(tmp_path, case_of):
    """Make a study with one scan of each of ``count`` patients."""

    def make(count, name="study", nonexpert=True):
        study = Study.create(tmp_path / name)
        for number in range(count):
            scan, expert, other = case_of(number)
            other = other if nonexpert else None
            study.add_case(f"case{number}", f"p{number}", scan, expert, other)
        return study

    return make


@pytest.fixture(scope="session")
def frame_cache(tmp_path_factory):
    return str(tmp_path_factory.mktemp("frames"))


@pytest.fixture
def tiny(tmp_path, frame_cache):
    """Settings of a run of seconds: a tiny network on a few small phantoms."""

    def make(**changes):
        settings = {
            "output": str(tmp_path / "run"),
            "name": "tiny",
            "model": {
                "architecture": "transunet",
                "transunet": TINY | {"dropout": 0.1},
            },
            "data": {
                "phantom_frames": 12,
                "phantom_val_cases": 1,
                "phantom_val_frames": 1,
                "cache": frame_cache,
            },
            "optimizer": {"name": "adamw", "learning_rate": 1e-3, "ema": 0.9},
            "augment": {"rotation_deg": 10.0, "speckle": 0.1, "flip_horizontal": 0.5},
            "epochs": 2,
            "batch_size": 4,
            "seed": 3,
            "threads": 1,
            "device": "cpu",
            "precision": "32-true",
            "deterministic": True,
            "channels_last": False,
            "to_library": False,
        }
        return TrainConfig.from_dict(settings).with_changes(changes)

    return make


@pytest.fixture
def drain():
    """Give all events of a generator, and what it returned."""

    def run(work):
        result, events = drained(work)
        return events, result

    return run
