import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils._proxies import PublicOnlyProxy

from disc_frames import SHAPE, disc
from napari_microus.widgets._shared.layers import METADATA_KEY
from napari_microus.widgets.correct import CorrectWidget


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "napari-microus" / "corrections"


@pytest.fixture
def viewer():
    """A scan of six frames, and over it the capsule that a model drew: discs."""
    viewer = ViewerModel()
    draw = np.random.default_rng(0)
    affine = np.diag([0.1, 0.1, 1.0, 1.0]).tolist()
    own = {"affine": affine, "has_geometry": True}
    scan = viewer.add_image(
        draw.integers(0, 255, SHAPE, np.uint8),
        name="scan",
        scale=(1, 0.1, 0.1),
        units=("mm",) * 3,
        metadata={METADATA_KEY: dict(own)},
    )
    made = {
        "task": "segment",
        "model": "microus-small",
        "image_id": str(scan.unique_id),
        "confidence": {"look_first": [3, 1]},
    }
    viewer.add_labels(
        np.repeat(disc()[None], SHAPE[0], 0).astype(np.uint8),
        name="capsule",
        scale=(1, 0.1, 0.1),
        units=("mm",) * 3,
        metadata={METADATA_KEY: {**own, "provenance": made}},
    )
    yield viewer
    viewer.layers.clear()


@pytest.fixture
def widget(qtbot, viewer):
    widget = CorrectWidget(PublicOnlyProxy(viewer))
    qtbot.addWidget(widget)
    qtbot.waitUntil(lambda: widget.autosaving._unsaved.key is not None)
    yield widget
    qtbot.waitUntil(lambda: not widget.is_running)
    qtbot.waitUntil(lambda: not widget.autosaving.is_writing)
    qtbot.waitUntil(lambda: widget.evidence._worker is None)


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Let the model be at a loss: a test that wants one gives its probability."""
    from napari_microus.widgets.correct import jobs

    def _probability(scan, frames, model_name):
        yield
        return np.full(scan.array.shape, 0.5, dtype=np.float32)

    monkeypatch.setattr(jobs, "_probability", _probability)
