"""``--help`` answers at once because nothing of the work is imported for it."""

import subprocess
import sys

HEAVY = ("torch", "numpy", "scipy", "monai", "matplotlib", "skimage", "SimpleITK")


def test_help_imports_nothing_that_computes():
    code = (
        "import sys\n"
        "from napari_microus.cli import main\n"
        "sys.argv = ['napari-microus', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"found = [name for name in {HEAVY} if name in sys.modules]\n"
        "assert not found, found\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    assert "compare" in done.stdout
