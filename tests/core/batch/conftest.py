import numpy as np
import pytest
import torch

from napari_microus.core import library
from napari_microus.core.batch import batch_settings, find_scans, run_batch
from napari_microus.core.config import TransUNetConfig
from napari_microus.core.events import Event, drain
from napari_microus.core.io import write_volume
from napari_microus.core.library import catalog
from napari_microus.core.models.transunet import TransUNet
from napari_microus.core.volume import Volume
from tiny_network import TINY


def save_tiny(folder, seed=0):
    torch.manual_seed(seed)
    network = TransUNet(TransUNetConfig.from_dict(TINY))
    config = {"architecture": "transunet", "options": TINY, "version": "3"}
    library.save_model(folder, network, config=config, card="", metrics={})


@pytest.fixture(scope="session")
def shelf(tmp_path_factory):
    """A library with two small untrained models."""
    folder = tmp_path_factory.mktemp("models")
    save_tiny(folder / library.DEFAULT_MODEL)
    save_tiny(folder / "other", seed=1)
    return folder


@pytest.fixture(autouse=True)
def one_thread():
    """A second one costs more than it brings for so small a network."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def models(shelf, monkeypatch):
    monkeypatch.setenv("NAPARI_MICROUS_MODELS", str(shelf))
    monkeypatch.setattr(catalog, "BUNDLED_FOLDER", shelf / "none")


@pytest.fixture
def write_scan():
    """Write a scan of noise, its pixels set by a seed."""

    def write(path, seed=0, frames=3):
        array = np.random.default_rng(seed).integers(0, 255, (frames, 30, 40), np.uint8)
        write_volume(Volume.from_spacing(array, (2.0, 0.2, 0.1)), path, True)
        return path

    return write


@pytest.fixture
def folder(tmp_path, write_scan):
    """A folder of two scans, and a file between them that is none."""
    write_scan(tmp_path / "in" / "a.nii.gz", 1)
    (tmp_path / "in" / "b.nii.gz").write_bytes(b"no scan")
    write_scan(tmp_path / "in" / "c.nrrd", 2)
    return tmp_path / "in"


@pytest.fixture
def segment(tmp_path):
    """Segment a folder; gives the events, and the result as the last of them."""

    def run(folder, output=tmp_path / "out", *, workers=1, dask=None, **options):
        options = {"device": "cpu", "precision": "float32", **options}
        settings = batch_settings(output, **options)
        scans = drain(find_scans([folder], recursive=True, leave_out=output))
        events: list[Event] = []
        work = run_batch(settings, scans, workers=workers, dask=dask)
        result = drain(work, events.append)
        return events, result

    return run
