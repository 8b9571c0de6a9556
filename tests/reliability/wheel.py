"""Build the wheel twice and compare every byte; keep it where both are one.

The second build lies in another folder, whose files are dated otherwise, and runs in
another time zone and with another order of hashes.

    python tests/reliability/wheel.py --out dist
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
NEEDED = ("pyproject.toml", "README.md", "LICENSE", "src", ".ci")
BUILD = "import sys, hatchling.build as b; print(b.build_wheel(sys.argv[1]))"


def copy_sources(folder: Path, *, date: int) -> None:
    """Copy what the wheel is made of, each file with a date of its own."""
    folder.mkdir(parents=True)
    for name in NEEDED:
        if (ROOT / name).is_dir():
            junk = shutil.ignore_patterns("__pycache__", "*.pyc")
            shutil.copytree(ROOT / name, folder / name, ignore=junk)
        else:
            shutil.copy(ROOT / name, folder / name)
    for number, path in enumerate(sorted(folder.rglob("*"))):
        os.utime(path, (date + number, date + number))


def build(folder: Path, out: Path, version: str, **environment: str) -> Path:
    """Return the wheel of the sources in ``folder``; the network is not used."""
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(out)],
        cwd=folder,
        env=os.environ | {"SETUPTOOLS_SCM_PRETEND_VERSION": version} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stderr)
    return out / done.stdout.split()[-1]


def build_twice(work: Path, version: str, epoch: str, other_epoch: str) -> list[Path]:
    """Return two wheels, made under circumstances that must not matter."""
    copy_sources(work / "a", date=1_600_000_000)
    copy_sources(work / "elsewhere" / "b", date=1_700_000_000)
    first = {"TZ": "UTC", "PYTHONHASHSEED": "1", "SOURCE_DATE_EPOCH": epoch}
    second = {"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "2"}
    second["SOURCE_DATE_EPOCH"] = other_epoch
    (work / "dist-a").mkdir()
    (work / "dist-b").mkdir()
    return [
        build(work / "a", work / "dist-a", version, **first),
        build(work / "elsewhere" / "b", work / "dist-b", version, **second),
    ]


def hash_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def date_of_commit() -> str:
    """Return when the last commit was made, in seconds since 1970."""
    command = ["git", "log", "-1", "--format=%ct"]
    return subprocess.check_output(command, cwd=ROOT, text=True).strip()


def version_of_commit() -> str:
    """Return the version that the tag of the last commit gives."""
    command = [sys.executable, "-m", "hatchling", "version"]
    return subprocess.check_output(command, cwd=ROOT, text=True).split()[-1]


def main() -> int:
    """Build, compare, keep; return 1 where the two differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    out = parser.parse_args().out
    epoch = os.environ.get("SOURCE_DATE_EPOCH") or date_of_commit()
    with tempfile.TemporaryDirectory() as work:
        wheels = build_twice(Path(work), version_of_commit(), epoch, epoch)
        hashes = [hash_of(wheel) for wheel in wheels]
        print(f"{hashes[0]}  {wheels[0].name}")
        if hashes[0] != hashes[1]:
            print(f"{hashes[1]}  the same, built again: they differ", file=sys.stderr)
            return 1
        out.mkdir(parents=True, exist_ok=True)
        shutil.copy(wheels[0], out / wheels[0].name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
