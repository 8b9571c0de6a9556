"""Let each write of each writer fail in turn: full, broken and forbidden disks.

    python tests/reliability/disks.py [--kinds mask.nii.gz case …] [--every 1]

A C library of a few functions (failing_disk.c, built by the compiler at hand) stands
between the program and the system: it counts what is opened to be written, written,
renamed and made below one folder, by Python and by C++ alike. Each writer is run once
to count, then once more for every operation and disk: full from then on (ENOSPC), one
error (EIO), forbidden from then on (EACCES), and a disk that takes files up to some
bytes only (EFBIG). Then the writer must have ended with one of our sentences (a
command: on standard error, with its status), the file of before or the new one must lie
there, whole, nothing else beside them, and the next run must work. Prints a row for
each writer: operations, runs, failures.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import ctypes
import errno
import functools
import importlib.util
import io
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
#: Error, whether it stays, and what to call it.
DISKS = (
    (errno.ENOSPC, True, "full"),
    (errno.EIO, False, "an error"),
    (errno.EACCES, True, "forbidden"),
)
# A fourth: no file may grow beyond some bytes (EFBIG), in children and in the C library
# too, which is how a full disk ends a write that was partly taken.
CUT = "cut"
# Where it can be written at all.
MP4 = ("mp4",) if importlib.util.find_spec("imageio_ffmpeg") else ()
FORMS = ("stl", "obj", "ply", "csv", "json", "gif", *MP4)
FORMATS = ("nii", "nii.gz", "nrrd", "seg.nrrd", "mha")
# Held while a file is written, and of no size.
LOCKS = (".lock",)


@dataclass(frozen=True)
class Writer:
    """What to try.

    ``before`` makes what lies in the folder; ``write`` writes into it, and is repeated
    after each fault; ``statuses`` are those of a command that could not write.
    """

    write: Callable[[Path], None]
    before: Callable[[Path], None] = lambda folder: None
    statuses: tuple[int, ...] = (2,)
    again: Callable[[Path], None] | None = None
    # Beyond those of the finished run: files of a run that continues later.
    may_stay: Callable[[str], bool] = lambda name: False
    # Tables that have fewer rows until the work is done.
    growing: tuple[str, ...] = ()
    disks: tuple[str, ...] = (*(name for *_, name in DISKS), CUT)


class CommandFailed(Exception):
    """A command ended with another status than 0."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status = status


def command(*words: object) -> None:
    """Run a command of ours in this process."""
    from napari_microus.cli import main

    sys.argv = ["napari-microus", *map(str, words)]
    out, error = io.StringIO(), io.StringIO()
    status = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        try:
            main()
        except SystemExit as ended:
            status = int(ended.code or 0)
    if status:
        raise CommandFailed(status, error.getvalue())


# --- what to write


def volume(seed: int, shape: tuple[int, int, int] = (3, 30, 40)):
    import numpy as np

    from napari_microus.core.volume import Volume

    array = np.random.default_rng(seed).integers(0, 255, shape, np.uint8)
    return Volume.from_spacing(array, (2.0, 0.2, 0.1))


def capsule(shift: int = 0, shape: tuple[int, int, int] = (3, 30, 40)):
    import numpy as np

    array = np.zeros(shape, np.uint8)
    array[:, 8 + shift : 20 + shift, 10:28] = 1
    return volume(0, shape).like(array)


def inputs(folder: Path) -> None:
    """A scan and two masks, beside the folder that is watched."""
    from napari_microus.core.io import write_mask, write_volume

    write_volume(volume(1), beside(folder) / "scan.nii.gz", True)
    write_mask(capsule(), beside(folder) / "expert.nii.gz", True)
    write_mask(capsule(2), beside(folder) / "second.nii.gz", True)


def beside(folder: Path) -> Path:
    return folder.parent / "inputs"


def write_a_mask(name: str, folder: Path) -> None:
    from napari_microus.core.io import write_mask

    version = 1 if (folder / name).exists() else 0
    write_mask(
        capsule(version), folder / name, True, provenance={"task": "t", "v": version}
    )


def write_a_draft(folder: Path) -> None:
    from napari_microus.core.edit.autosave import autosave

    autosave("key", capsule(2).array, {"version": 1}, folder / "drafts")


def write_a_journal(folder: Path) -> None:
    from napari_microus.core.compare.adjudication.journal import write_journal

    rows = [{"region": n} for n in range(4000)]
    write_journal({"decisions": rows}, folder / "journal.json")


@functools.cache
def adjudication():
    from napari_microus.core.compare.adjudication.session import Adjudication
    from napari_microus.core.compare.regions import disputed_regions
    from napari_microus.core.disagreement import disagreement_map
    from napari_microus.core.events import drain

    codes = disagreement_map(capsule().array, capsule(2).array)
    regions = drain(disputed_regions(codes, (2.0, 0.2, 0.1)))
    work = Adjudication(codes, regions, who="AB")
    work.decide(work.regions[0], "expert")
    return work


def save_an_adjudication(folder: Path) -> None:
    from napari_microus.core.compare.adjudication.document import (
        Origin,
    )
    from napari_microus.core.compare.adjudication.sidecar import (
        save_adjudication,
    )

    origin = Origin("expert.nii.gz", "second.nii.gz", (2.0, 0.2, 0.1), {})
    grid = capsule()
    save_adjudication(
        adjudication(), origin, grid, folder / "decided.nii.gz", overwrite=True
    )


def tiny_model():
    import torch

    from napari_microus.core.config import TransUNetConfig
    from napari_microus.core.models.transunet import TransUNet

    sys.path.insert(0, str(HERE.parent))
    from tiny_network import TINY

    torch.manual_seed(0)
    return TransUNet(TransUNetConfig.from_dict(TINY)), TINY


def save_a_model(folder: Path) -> None:
    from napari_microus.core.library import save_model

    network, options = tiny_model()
    config = {"architecture": "transunet", "options": options, "version": "1"}
    place = folder / "models" / "tiny"
    save_model(place, network, config=config, card="#", metrics={}, overwrite=True)


def library(folder: Path) -> None:
    """Let commands find one small model, beside the folder that is watched."""
    os.environ["NAPARI_MICROUS_MODELS"] = str(beside(folder) / "models")
    if not (beside(folder) / "models").exists():
        save_a_model(beside(folder))


def import_a_model(folder: Path) -> None:
    os.environ["NAPARI_MICROUS_MODELS"] = str(folder / "models")
    command("models", "import", beside(folder) / "models" / "tiny", "--overwrite")


def with_library(folder: Path) -> None:
    inputs(folder)
    library(folder)


def export_as(name: str, *more: str) -> Writer:
    def write(folder: Path) -> None:
        mask, scan = beside(folder) / "expert.nii.gz", beside(folder) / "scan.nii.gz"
        command(
            *("export", mask, "--scan", scan, "-o", folder / name, "--overwrite", *more)
        )

    return Writer(write, inputs)


def export_as_dicom(name: str, *more: str) -> Writer:
    def before(folder: Path) -> None:
        from dicom_files import series
        from napari_microus.core.io import read_volume, write_mask

        if not (beside(folder) / "series").exists():
            series(beside(folder) / "series")
        scan = read_volume(beside(folder) / "series")
        array = scan.array * 0
        array[:, 2:5, 2:6] = 1
        write_mask(scan.like(array), beside(folder) / "drawn.nii.gz", True)

    def write(folder: Path) -> None:
        where = beside(folder)
        words = ("--scan", where / "series", "--drawn", "manual", "--overwrite")
        command("export", where / "drawn.nii.gz", *words, "-o", folder / name, *more)

    return Writer(write, before)


def on_inputs(*words: str, statuses: tuple[int, ...] = (2,)) -> Writer:
    """A command in whose words {in} and {out} stand for the folders."""

    def write(folder: Path) -> None:
        places = {"in": beside(folder), "out": folder}
        command(*(word.format(**places) for word in words))

    return Writer(write, with_library, statuses)


def save_a_case(folder: Path) -> None:
    where = beside(folder)
    words = ("--mask", where / "expert.nii.gz", "--copy-scan", "--overwrite")
    command("case", "save", where / "scan.nii.gz", *words, "-o", folder / "case")


def with_a_case(folder: Path) -> None:
    inputs(folder)
    where = beside(folder)
    if not (where / "case").exists():
        words = ("--mask", where / "expert.nii.gz", "--copy-scan")
        command("case", "save", where / "scan.nii.gz", *words, "-o", where / "case")


def with_own_case(folder: Path) -> None:
    inputs(folder)
    save_a_case(folder)


def report_a_case(folder: Path) -> None:
    case = beside(folder) / "case"
    command("case", "report", case, "-o", folder / "case.html", "--overwrite")
    command("case", "show", case, "--csv", folder / "frames.csv", "--overwrite")


def folders(folder: Path) -> None:
    """Folders of images and masks, and a study that lists one of them."""
    from napari_microus.core.io import write_mask, write_volume

    for name in ("a", "b"):
        write_volume(volume(1), beside(folder) / f"plain/images/{name}.nii.gz", True)
        write_mask(capsule(), beside(folder) / f"plain/masks/{name}.nii.gz", True)
    inputs(folder)


def with_study(folder: Path) -> None:
    folders(folder)
    command("study", "create", folder / "study")


def import_a_study(folder: Path) -> None:
    command("study", "import", folder / "study", beside(folder) / "plain")


def add_a_case(folder: Path) -> None:
    where = beside(folder)
    scan = ("--image", where / "scan.nii.gz", "--expert", where / "expert.nii.gz")
    words = ("--case", "one", "--patient", "p1", "--nonexpert", where / "second.nii.gz")
    command("study", "add", folder / "study", *scan, *words)


def add_a_case_again(folder: Path) -> None:
    """Add the case, unless an error in making what was there did no harm."""
    from napari_microus.core.study import Study

    if not Study.open(folder / "study").cases:
        add_a_case(folder)


def split_a_study(folder: Path) -> None:
    command("study", "split", folder / "study", "--val", "0.5")


def with_cases(folder: Path) -> None:
    with_study(folder)
    import_a_study(folder)


def open_a_test_set(folder: Path) -> None:
    from napari_microus.core.study import Study

    Study.open(folder / "study").open_test_set("to see")


def set_scan_properties(folder: Path) -> None:
    command("scan", "set", folder / "scan.nii.gz", "--frame-distance-mm", "2")


def with_scan(folder: Path) -> None:
    from napari_microus.core.io import write_volume

    write_volume(volume(1), folder / "scan.nii.gz")
    write = ("--frame-distance-mm", "unknown")
    command("scan", "set", folder / "scan.nii.gz", *write)


def segment_a_folder(folder: Path) -> None:
    command(
        *("segment", beside(folder) / "plain" / "images", "-o", folder / "out"),
        *("--model", "tiny", "--device", "cpu", "--precision", "float32"),
    )


def with_scans(folder: Path) -> None:
    folders(folder)
    library(folder)


def unzip_a_dataset(folder: Path) -> None:
    import zipfile

    from napari_microus.core.dataset import unzip
    from napari_microus.core.events import drain

    archive = beside(folder) / "set.zip"
    if not archive.exists():
        with zipfile.ZipFile(archive, "w") as made:
            for name in ("top/train/a.txt", "top/test/b.txt"):
                made.writestr(name, "x" * 5000)
    drain(unzip(archive, folder / "micro_us"))


RUN = {
    "name": "tiny",
    "data": {"phantom_frames": 4, "phantom_val_cases": 1, "phantom_val_frames": 1},
    "optimizer": {"name": "adamw", "learning_rate": 1e-3, "ema": 0.9},
    "epochs": 1,
    "batch_size": 4,
    "threads": 1,
    "device": "cpu",
    "precision": "32-true",
    "to_library": False,
}


def with_recipe(folder: Path) -> None:
    import yaml

    _, options = tiny_model()
    model = {"architecture": "transunet", "transunet": options}
    data = RUN["data"] | {"cache": str(beside(folder) / "cache")}
    text = yaml.safe_dump(RUN | {"model": model, "data": data})
    (beside(folder) / "tiny.yaml").write_text(text)


def train_a_network(folder: Path) -> None:
    recipe = beside(folder) / "tiny.yaml"
    run = ("--preset", recipe, "-o", folder / "run", "--progress", "none")
    command("train", *run, "--set", f"data.cache={folder / 'cache'}")


def go_on_training(folder: Path) -> None:
    """Continue with a run that has a checkpoint; make another where it has none."""
    if (folder / "run" / "checkpoints" / "last.ckpt").exists():
        command("resume", folder / "run", "--progress", "none")
    else:
        shutil.rmtree(folder / "run", ignore_errors=True)
        train_a_network(folder)


WRITERS = {
    **{
        name: Writer(
            functools.partial(write_a_mask, name),
            functools.partial(write_a_mask, name),
        )
        for name in (
            "mask.nii",
            "mask.nii.gz",
            "mask.nrrd",
            "mask.seg.nrrd",
            "mask.mha",
        )
    },
    "draft": Writer(write_a_draft, write_a_draft),
    "journal": Writer(write_a_journal, write_a_journal),
    "adjudication": Writer(save_an_adjudication, save_an_adjudication),
    "case, new": Writer(save_a_case, inputs),
    "case": Writer(save_a_case, with_own_case),
    "case report": Writer(report_a_case, with_a_case),
    "export .dcm": export_as_dicom("capsule.dcm"),
    "export rtstruct": export_as_dicom("contours.dcm", "--rtstruct"),
    **{f"export .{kind}": export_as(f"capsule.{kind}") for kind in FORMS},
    "export pictures": export_as("pictures"),
    "study import": Writer(import_a_study, with_study),
    "study import, new": Writer(import_a_study, folders),
    "study add": Writer(add_a_case, with_study, again=add_a_case_again),
    "study split": Writer(split_a_study, with_cases),
    "test set opened": Writer(open_a_test_set, with_cases),
    "scan properties": Writer(set_scan_properties, with_scan),
    "segment": on_inputs(
        *("segment", "{in}/scan.nii.gz", "-o", "{out}/m.nii.gz", "--model", "tiny"),
        *("--probability", "{out}/p.nii.gz", "--device", "cpu", "--overwrite"),
        *("--precision", "float32"),
    ),
    "batch": Writer(
        segment_a_folder,
        with_scans,
        (1, 2),
        may_stay=lambda name: name == "out/failures.csv",
        growing=("out/measurements.csv", "out/contact_sheet.html"),
    ),
    "compare": on_inputs(
        *(
            "compare",
            "{in}/expert.nii.gz",
            "{in}/second.nii.gz",
            "--csv",
            "{out}/c.csv",
        ),
        *("--json", "{out}/c.json", "--panels", "{out}/panels", "--overwrite"),
        *("--hard-region", "{out}/hard.nii.gz"),
    ),
    "trainee": on_inputs(
        *("trainee", "{in}/second.nii.gz", "{in}/expert.nii.gz"),
        *("-o", "{out}/t.html", "--overwrite"),
    ),
    "evaluate": on_inputs(
        *("evaluate", "{in}/second.nii.gz", "{in}/expert.nii.gz", "-o", "{out}/e.csv"),
        "--overwrite",
    ),
    "difficulty": on_inputs(
        *("difficulty", "{in}/scan.nii.gz", "-o", "{out}/d.csv", "--model", "tiny"),
        *("--map", "{out}/d.nii.gz", "--device", "cpu", "--overwrite"),
    ),
    "phantom": on_inputs(
        *("phantom", "-o", "{out}/phantoms", "--frames", "2", "--rows", "40"),
        *("--columns", "50", "--overwrite"),
    ),
    "model saved": Writer(save_a_model, save_a_model),
    "model imported": Writer(import_a_model, with_library),
    "model as .pt": on_inputs(
        "models", "export", "tiny", "{out}/tiny.pt", "--overwrite"
    ),
    "model as bundle": on_inputs("models", "export", "tiny", "{out}/bundle"),
    "dataset unpacked": Writer(unzip_a_dataset),
    "training": Writer(
        train_a_network,
        with_recipe,
        again=go_on_training,
        may_stay=lambda name: name.startswith("run/"),
    ),
}


# --- how to look at what came of it


class Disk:
    """The functions of failing_disk.c."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(None)
        self._library.disk_last.restype = ctypes.c_char_p
        self._library.disk_failed.restype = ctypes.c_long
        self._library.disk_disarm.restype = ctypes.c_long
        self._library.disk_arm.argtypes = [
            *(ctypes.c_char_p, ctypes.c_long, ctypes.c_int, ctypes.c_int)
        ]

    @contextlib.contextmanager
    def failing(self, folder: Path, at: int, error: int, stays: bool):
        self.done = self.failed = 0
        self.last = ""
        self._library.disk_arm(str(folder).encode(), at, error, stays)
        try:
            yield
        finally:
            self.done = self._library.disk_disarm()
            self.failed = self._library.disk_failed()
            self.last = self._library.disk_last().decode()


def tree(folder: Path) -> dict[str, bytes]:
    return {
        # A case's masks are numbered by its revisions.
        re.sub(r"capsule_\d+", "capsule_N", path.relative_to(folder).as_posix()): (
            path.read_bytes()
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(LOCKS)
    }


def is_whole(name: str, found: bytes, new: bytes) -> bool:
    """Return whether a file is a finished one, dates and digests apart."""
    if found == new:
        return True
    if name.endswith((".ckpt", ".safetensors", ".png", ".npz", ".dcm", ".jsonl")):
        return _opens(name, found)
    if name.endswith(".json"):
        with contextlib.suppress(ValueError):
            json.loads(found)
            return True
        return False
    return abs(len(found) - len(new)) <= 16 and found[-1:] == new[-1:]


def is_table(found: bytes) -> bool:
    """Return whether a table, or a page, ends as it should."""
    if found.rstrip().endswith(b"</html>"):
        return True
    rows = list(csv.reader(io.StringIO(found.decode())))
    return found.endswith(b"\n") and len({len(row) for row in rows}) == 1


def _opens(name: str, found: bytes) -> bool:
    import numpy as np
    import pydicom
    import safetensors.torch
    import torch
    from PIL import Image

    try:
        if name.endswith(".jsonl"):
            return all(json.loads(line) for line in found.splitlines())
        if name.endswith(".ckpt"):
            torch.load(io.BytesIO(found), weights_only=True)
        elif name.endswith(".safetensors"):
            safetensors.torch.load(found)
        elif name.endswith(".png"):
            Image.open(io.BytesIO(found)).load()
        elif name.endswith(".dcm"):
            dataset = pydicom.dcmread(io.BytesIO(found))
            return "PixelData" in dataset or "ROIContourSequence" in dataset
        else:
            with np.load(io.BytesIO(found)) as parts:
                return all(parts[key] is not None for key in parts)
    except Exception:  # noqa: BLE001  whatever a reader raises of a cut file
        return False
    return True


def outcome(write: Callable[[Path], None], folder: Path, statuses: tuple[int, ...]):
    """Run a writer; return "" (it worked), its sentence, or raise what is wrong."""
    from napari_microus.core.errors import MicroUSError

    try:
        write(folder)
    except CommandFailed as error:
        said = str(error).strip()
        lines = said.splitlines()
        if error.status not in statuses:
            raise AssertionError(f"status {error.status}: {said[-300:]}") from error
        if "Traceback" in said or not lines or not lines[-1].endswith("."):
            raise AssertionError(f"no sentence: {said[-300:]}") from error
        return lines[-1]
    except MicroUSError as error:
        if "\n" in str(error) or not str(error).endswith("."):
            raise AssertionError(f"no sentence: {error}") from error
        return str(error)
    return ""


@contextlib.contextmanager
def at_most(size: int):
    """Let no file grow beyond ``size`` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def try_writer(writer: Writer, every: int) -> tuple[int, int, list[str]]:
    """Let each operation fail; return operations, runs, and what went wrong."""
    disk, wrong, runs, most = Disk(), [], 0, 0
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary).resolve()
        folder, start = root / "work", root / "start"
        (root / "inputs").mkdir()
        folder.mkdir()
        os.environ["HOME"] = str(root / "home")
        writer.before(folder)
        shutil.copytree(folder, start)
        old = tree(folder)
        writer.write(folder)  # imports, fonts and caches are there from here on
        new = tree(folder)
        for error, stays, name in DISKS:
            if name not in writer.disks:
                continue
            renew(folder, start)
            with disk.failing(folder, 0, error, stays):
                writer.write(folder)
            count = disk.done
            most = max(most, count)
            for at in range(1, count + 1, every):
                renew(folder, start)
                runs += 1
                try:
                    with disk.failing(folder, at, error, stays):
                        said = outcome(writer.write, folder, writer.statuses)
                    check(writer, folder, old, new, said)
                except Exception as problem:  # noqa: BLE001  each is reported
                    wrong.append(f"{name} at {at} ({disk.last}): {stated(problem)}")
        for size in cuts(old, new)[::every] if CUT in writer.disks else ():
            renew(folder, start)
            runs += 1
            try:
                with at_most(size):
                    said = outcome(writer.write, folder, writer.statuses)
                check(writer, folder, old, new, said)
            except Exception as problem:  # noqa: BLE001
                wrong.append(f"cut at {size} bytes: {stated(problem)}")
    return most, runs, wrong


def cuts(old: dict[str, bytes], new: dict[str, bytes]) -> list[int]:
    """Return sizes at which files that were written are cut."""
    written = {len(new[name]) for name in new if new[name] != old.get(name)}
    largest = max(written, default=0)
    sizes = {0, 1, 64, *(largest * part // 8 for part in range(1, 8))}
    return sorted(sizes | {size - 1 for size in sorted(written)[-6:] if size})


def stated(problem: Exception) -> str:
    where = traceback.extract_tb(problem.__traceback__)[-1]
    place = f"{Path(where.filename).name}:{where.lineno}"
    return f"{type(problem).__name__} {str(problem)[:400]} [{place}]"


def renew(folder: Path, start: Path) -> None:
    shutil.rmtree(folder)
    shutil.copytree(start, folder)


def check(writer: Writer, folder: Path, old: dict, new: dict, said: str) -> None:
    """See that old or new files are there, whole, and that the next run works."""
    found = tree(folder)
    for name, content in found.items():
        if content == old.get(name):
            continue
        is_kept = "/before/" in name and "is kept in" in said
        assert name in new or writer.may_stay(name) or is_kept, f"left: {name}"
        if name in writer.growing:
            assert is_table(content), f"partial: {name}"
        elif name in new:
            assert is_whole(name, content, new[name]), f"partial: {name}"
    lost = [name for name in old if name not in found and name in new]
    assert not lost or "is kept in" in said, f"lost: {lost}"
    if not said:
        missing = new.keys() - found.keys()
        assert not missing, f"no word of {sorted(missing)[:3]}"
    (writer.again or writer.write)(folder)
    after = tree(folder)
    assert after.keys() == new.keys(), sorted(after.keys() ^ new.keys())[:4]


def build(folder: Path) -> Path:
    """Compile failing_disk.c.

    Raises
    ------
    FileNotFoundError
        If there is no compiler, or this is no Linux.
    """
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or not sys.platform.startswith("linux"):
        raise FileNotFoundError("a C compiler on Linux")
    target = folder / "failing_disk.so"
    source = HERE / "failing_disk.c"
    options = ("-shared", "-fPIC", "-O1", "-o", target, source, "-ldl")
    subprocess.run([compiler, *options], check=True)
    return target


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kinds", nargs="+", default=list(WRITERS))
    parser.add_argument("--every", type=int, default=1, help="1: each operation")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        sys.path.insert(0, str(HERE.parent))
        count, runs, wrong = try_writer(WRITERS[arguments.work], arguments.every)
        print(f"| {arguments.work} | {count} | {runs} | {len(wrong)} |", flush=True)
        for line in wrong[:8]:
            print("    ", line, flush=True)
        return bool(wrong)
    bad = 0
    with tempfile.TemporaryDirectory() as temporary:
        shim = build(Path(temporary))
        own = {f"XDG_{kind}_HOME": f"{temporary}/{kind}" for kind in ("DATA", "STATE")}
        # Fonts and pictures take long to make again.
        own["XDG_CACHE_HOME"] = os.environ.get("XDG_CACHE_HOME") or str(
            Path.home() / ".cache"
        )
        for kind in arguments.kinds:
            words = ["--work", kind, "--every", str(arguments.every)]
            bad += subprocess.run(
                [sys.executable, __file__, *words],
                env=os.environ | own | {"LD_PRELOAD": str(shim)},
                check=False,
            ).returncode
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
