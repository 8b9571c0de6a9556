"""napari with the plugin installed starts as fast as without it."""

import subprocess
import sys

import pytest

CODE = """
import sys
import napari
import numpy as np

viewer = napari.Viewer(show=False)
from npe2 import PluginManager
assert "napari-microus" in PluginManager.instance()
viewer.add_image(np.zeros((4, 8, 8), np.uint8))
heavy = {"torch", "monai", "SimpleITK", "nibabel", "lightning_fabric", "matplotlib"}
found = sorted(heavy & set(sys.modules))
viewer.close()
assert not found, found
"""


@pytest.mark.slow
def test_napari_starts_without_importing_what_computes():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


FIRST_MASK = """
from numba.core.event import install_recorder
from napari_microus.widgets.segment.layers import warm_up

with install_recorder("numba:compile") as compiled:
    warm_up()
assert not compiled.buffer, len(compiled.buffer)
"""


@pytest.mark.skipif(sys.platform == "darwin", reason="not installed there")
def test_the_first_mask_waits_for_no_compiler():
    done = subprocess.run([sys.executable, "-c", FIRST_MASK], capture_output=True)
    assert done.returncode == 0, done.stderr
