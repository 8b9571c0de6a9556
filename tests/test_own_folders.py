"""The suite leaves its user's settings, library and drafts alone."""

import subprocess
import sys
from pathlib import Path

import platformdirs
import pytest

SHOW = "import platformdirs as p; print(p.{}('napari-microus'))"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows asks no environment")
@pytest.mark.parametrize("name", ["user_config_dir", "user_data_dir", "user_state_dir"])
def test_what_is_kept_for_a_user_is_kept_elsewhere(name):
    ours = getattr(platformdirs, name)("napari-microus")
    assert Path(ours).parents[1].name.startswith("microus-tests-")
    child = subprocess.check_output([sys.executable, "-c", SHOW.format(name)])
    assert child.decode().strip() == ours
