"""A sample of the fuzzer's files in the suite; `make test-all` runs 5,000 a format."""

import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).with_name("fuzz.py")
FORMATS = "nii nii.gz nrrd mha png tif dcm seg json csv yaml safetensors npz pth"


def run(kind, count, folder):
    args = [sys.executable, FUZZ, "--formats", kind, "--count", str(count)]
    return subprocess.run(
        [*args, "--keep", folder],
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )


@pytest.mark.parametrize("kind", FORMATS.split())
def test_damaged_files_are_read_right_or_refused(kind, tmp_path):
    done = run(kind, 120, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(f"| {kind} | 120 |")


def test_the_fuzzer_notices_what_it_should(tmp_path):
    """With a reader that invents pixels, and one that ends its process."""
    script = tmp_path / "broken.py"
    script.write_text(
        f"import sys; sys.path.insert(0, {str(FUZZ.parent)!r})\n"
        "import os, numpy as np, fuzz\n"
        "fuzz.__file__ = __file__\n"
        "def ours(kind, path):\n"
        "    if os.path.getsize(path) % 7 == 3: os._exit(3)\n"
        "    return np.zeros(fuzz.SHAPE, np.uint8)\n"
        "fuzz.ours = ours\n"
        "sys.exit(fuzz.main())\n"
    )
    done = subprocess.run(
        [sys.executable, script, "--formats", "tif", "--count", "60"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "other pixels" in done.stdout
    assert "crash (3)" in done.stdout
