import numpy as np
import pytest

from napari_microus.core.study import Study
from napari_microus.core.volume import Volume


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
