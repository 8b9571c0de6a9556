import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from napari_microus.core.phantom import make_phantom

SAMPLE = Path(__file__).parents[3] / "sample_data"
FILES = [SAMPLE / f"{part}.nii.gz" for part in ("scan", "expert", "nonexpert")]


def test_sample_is_small_and_of_one_grid():
    assert sum(path.stat().st_size for path in FILES) < 5e6
    scan, expert, nonexpert = (nib.load(path) for path in FILES)
    for mask in (expert, nonexpert):
        assert mask.shape == scan.shape
        np.testing.assert_array_equal(mask.affine, scan.affine)
        assert set(np.unique(mask.dataobj)) == {0, 1}


def test_sample_says_that_it_is_synthetic():
    assert (
        json.loads((SAMPLE / "scan.json").read_text(encoding="utf-8"))["synthetic"]
        is True
    )


@pytest.mark.slow
def test_sample_is_what_the_readme_command_makes():
    case = make_phantom(8, frames=20, shape=(361, 515), annotator_style="hasty")
    for path, part in zip(FILES, (case.scan, case.expert, case.nonexpert), strict=True):
        stored = np.asarray(nib.load(path).dataobj).transpose(2, 1, 0).astype(int)
        # Another processor may round the last bit of a grey level differently.
        assert (np.abs(stored - part.array) > 1).mean() < 1e-4
