"""Kill a process while it writes, again and again: a file is the old or the new one.

    python tests/reliability/kill.py [--times 50] [--seed 0]

A child writes two versions of a file in turn and is killed (SIGKILL) at a random
moment; then the file must be one of both, whole, and the next write must leave nothing
behind. Exports, downloads, imports, batches and trainings (kill_work.py) are killed at
their work, which must continue or begin again, and end with the same results. Prints a
row for each kind: kills, kills in mid-write, failures.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import kill_work

SHAPE = (12, 240, 320)


def mask(version: int):
    from napari_microus.core.volume import Volume

    draw = np.random.default_rng(version)  # noise: packing it takes time
    grid = np.diag([-0.05, -0.04, 0.5, 1.0])
    return Volume(draw.integers(0, 2, SHAPE, np.uint8), grid)


def write(kind: str, folder: Path, version: int) -> None:
    """Write version 0 or 1 of a file of one kind."""
    if kind in ("mask.nii.gz", "mask.seg.nrrd", "mask.mha"):
        from napari_microus.core.io import write_mask

        made = {"task": "segment", "version": version}
        write_mask(mask(version), folder / kind, True, provenance=made)
    elif kind == "draft of corrections":
        from napari_microus.core.edit.autosave import autosave

        autosave("key", mask(version).array, {"version": version}, folder)
    elif kind == "journal of decisions":
        from napari_microus.core.compare.adjudication.journal import write_journal

        rows = [{"region": n, "version": version} for n in range(3000)]
        write_journal({"version": version, "decisions": rows}, folder / "journal.json")
    elif kind == "manifest of a study":
        from napari_microus.core.study import Study, StudyCase

        cases = [
            StudyCase(f"c{n}", f"p{version}", "i.nii", "e.nii", "", {}, "train")
            for n in range(400)
        ]
        study = (
            Study.open(folder) if (folder / "manifest.csv").exists() else Study(folder)
        )
        study.cases = cases
        study.save()
    elif kind == "case":
        from napari_microus.core.case import save_case

        note = f"version {version}"
        scan = mask(0)
        save_case(folder / "case", scan, mask(version), note=note, overwrite=True)
    elif kind == "checkpoint":
        import torch

        from napari_microus.core.train.checkpoint import FORMAT, save_checkpoint

        state = {"format": FORMAT, "weights": torch.full((400_000,), float(version))}
        save_checkpoint(folder / "last.ckpt", state)
    else:
        raise SystemExit(f"unknown kind {kind}")


def version_of(kind: str, folder: Path) -> int:
    """Return which version lies there; raise if it is neither, or not whole."""
    if kind.startswith("mask"):
        from napari_microus.core.io import read_mask, read_provenance

        array = read_mask(folder / kind).array
        (found,) = (n for n in (0, 1) if np.array_equal(array, mask(n).array))
        assert read_provenance(folder / kind)["version"] in (0, 1)
        return found
    if kind == "draft of corrections":
        from napari_microus.core.edit.autosave import find_autosave

        kept = find_autosave("key", folder)
        assert kept is not None
        found = int(kept.provenance["version"])
        assert np.array_equal(kept.mask, mask(found).array)
        return found
    if kind == "journal of decisions":
        document = json.loads((folder / "journal.json").read_text(encoding="utf-8"))
        assert len(document["decisions"]) == 3000
        (found,) = {row["version"] for row in document["decisions"]}
        return int(found)
    if kind == "manifest of a study":
        from napari_microus.core.study import Study

        cases = Study.open(folder).cases
        assert len(cases) == 400
        (patient,) = {case.patient for case in cases}
        return int(patient[1:])
    if kind == "case":
        from napari_microus.core.case import open_case

        case = open_case(folder / "case")
        assert not case.notices  # such as that a mask is another than was saved
        found = int(case.note.removeprefix("version "))
        assert np.array_equal(case.mask.array, mask(found).array)
        return found
    from napari_microus.core.train.checkpoint import load_checkpoint

    (found,) = load_checkpoint(folder / "last.ckpt")["weights"].unique().tolist()
    return int(found)


KINDS = (
    *("mask.nii.gz", "mask.seg.nrrd", "mask.mha", "draft of corrections"),
    *("journal of decisions", "manifest of a study", "checkpoint", "case"),
    *kill_work.WORK,
)


def work(kind: str, folder: Path) -> None:
    write(kind, folder, 0)
    print("ready", flush=True)
    version = 1
    while True:
        write(kind, folder, version)
        version = 1 - version


def left(folder: Path) -> list[str]:
    """Return what does not belong to a finished write."""
    hidden = [p.name for p in folder.rglob(".*") if p.suffix != ".lock"]
    masks = [path.name for path in folder.glob("case/capsule_*.nii.gz")]
    return hidden + masks[1:]


def run(kind: str, times: int, seed: int) -> tuple[int, list[str]]:
    """Kill writers of one kind; return kills in mid-write, and what went wrong."""
    draw, middle, failures = random.Random(f"{seed} {kind}"), 0, []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if kind in kill_work.WORK:
            return kill_work.run(kind, times, draw, folder)
        for number in range(times):
            args = [sys.executable, __file__, "--work", kind, "--folder", temporary]
            child = subprocess.Popen(args, stdout=subprocess.PIPE, text=True)
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(draw.uniform(0.0, 0.3))
            child.send_signal(signal.SIGKILL)
            child.wait()
            middle += bool(left(folder))
            try:
                version_of(kind, folder)
                write(kind, folder, number % 2)
                assert version_of(kind, folder) == number % 2
                assert not left(folder), left(folder)
            except Exception as error:  # noqa: BLE001  each is reported
                failures.append(f"{number}: {type(error).__name__} {error}"[:200])
    return middle, failures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", default=KINDS)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(arguments.work, arguments.folder)
    bad = 0
    for kind in arguments.kinds:
        middle, failures = run(kind, arguments.times, arguments.seed)
        bad += len(failures)
        print(
            f"| {kind} | {arguments.times} | {middle} | {len(failures)} |", flush=True
        )
        for failure in failures[:5]:
            print("    ", failure, flush=True)
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
