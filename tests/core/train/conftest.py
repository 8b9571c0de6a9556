import pytest

from napari_microus.core.train import TrainConfig, curves
from tiny_network import TINY


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch):
    """Spare every run the second that drawing its curves takes."""
    monkeypatch.setattr(curves, "draw", lambda run, _: (run / "curves.png").touch())


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
        events = []
        while True:
            try:
                events.append(next(work))
            except StopIteration as stop:
                return events, stop.value

    return run
