"""The numbers of docs/results.md on the real frames that were outlined twice."""

import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_microus.core.compare.frames import compare_frame
from napari_microus.core.statistics import patient_mean

ROOT = Path(__file__).parents[3]
SCRIPTS = ROOT / "docs" / "scripts"
FRAMES = ROOT.parent / "shared" / "data" / "micro_us_frames"


@pytest.fixture(scope="module")
def script():
    sys.path.insert(0, str(SCRIPTS))
    try:
        return runpy.run_path(str(SCRIPTS / "dual_outlines.py"))
    finally:
        sys.path.remove(str(SCRIPTS))


def test_gaps_of_two_discs_are_the_difference_of_their_radii(script):
    y, x = np.mgrid[:200, :200]
    away = np.hypot(y - 100, x - 100)
    masks = [(away <= radius).astype(np.uint8) for radius in (72, 64)]
    gaps = script["sector_gaps"](script["Frame"]("p", np.zeros((200, 200)), *masks))
    # 8 pixels of 0.125 mm, measured along the inner edge, which the ring outgrows;
    # of a diagonal edge fewer pixels are counted than it is long.
    assert gaps.shape == (12,)
    assert (np.abs(gaps - 1.15) < 0.2).all()


def test_the_figures_in_the_results_are_those_of_the_frames(script):
    if not FRAMES.exists():
        pytest.skip("the real frames are not here")
    frames = script["read_frames"](FRAMES)
    pixel = (0.125, 0.125)
    dice = [(f.patient, compare_frame(f.one, f.two, pixel).dice) for f in frames]
    mean = patient_mean(dice)
    stated = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    found = re.search(r"\| DSC \| (0\.\d+) \((0\.\d+) to (0\.\d+)\) \|", stated)
    assert (len(frames), mean.patients) == (101, 37)
    written = tuple(float(value) for value in found.groups())
    assert written == tuple(round(v, 3) for v in (mean.mean, mean.low, mean.high))
    # The data's own note gives the mean over frames, by another program.
    assert abs(np.mean([value for _, value in dice]) - 0.955) < 0.001
