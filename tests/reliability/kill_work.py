"""Work that is killed in its middle, for kill.py: exports, downloads, training …

Each kind is a class: ``work`` is what a child does until it is killed, ``check`` looks
at what lies there, lets the work be done to its end, and looks again. Children are
forks, so that a kill costs no import.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import os
import re
import signal
import sys
import threading
import time
from abc import ABC, abstractmethod
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import disks
import numpy as np

if TYPE_CHECKING:
    import random
    from pathlib import Path


class Work(ABC):
    """One kind of work in ``folder``; its inputs lie beside."""

    #: Longest time until the kill, in seconds: that of the whole work.
    within_s = 0.0

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def work(self) -> None:
        """Do it, until it is done or killed."""

    @abstractmethod
    def check(self) -> None:
        """Raise if something is not as it was, and if the next try does not end."""

    def close(self) -> None:  # noqa: B027  most need nothing
        """Let go of what the work needs."""

    def hidden(self) -> list[str]:
        """Return temporary files and folders."""
        found = self.folder.rglob(".*")
        return [path.name for path in found if not path.name.endswith(".lock")]


def kill_one(work: Work, draw: random.Random) -> bool:
    """Kill a child at work; return whether it was in the middle of a write."""
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            silence()
            while True:
                work.work()
        os._exit(1)
    time.sleep(draw.uniform(0.0, work.within_s))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return bool(work.hidden())


def silence() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


class Export(Work):
    """A form of export, of two masks in turn."""

    def __init__(self, folder: Path, name: str, *more: str) -> None:
        super().__init__(folder)
        self._name, self._more = name, more
        writer = disks.export_as_dicom if name.endswith(".dcm") else disks.export_as
        self._writer = writer(name, *more)
        self._writer.before(folder)
        where = disks.beside(folder)
        stem = "drawn" if name.endswith(".dcm") else "expert"
        self._mask = where / f"{stem}.nii.gz"
        self._versions = [self._mask.read_bytes(), self._other()]
        self._wanted = []
        for version in (0, 1):
            self._write(version)
            self._wanted.append(self._found())

    def _other(self) -> bytes:
        from napari_microus.core.io import read_mask, write_mask

        mask = read_mask(self._mask)
        other = self._mask.with_name("other.nii.gz")
        write_mask(mask.like(np.roll(mask.array, 1, axis=2)), other, True)
        return other.read_bytes()

    def _write(self, version: int) -> None:
        self._mask.write_bytes(self._versions[version])
        self._writer.write(self.folder)

    def _found(self) -> dict[str, object]:
        path = self.folder / self._name
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        return {one.name: content(one) for one in files if one.name[0] != "."}

    def work(self) -> None:
        for version in (0, 1):
            self._write(version)

    def check(self) -> None:
        for name, found in self._found().items():
            assert found in [wanted[name] for wanted in self._wanted], name
        for version in (1, 0):
            self._write(version)
            assert self._found() == self._wanted[version]
        assert not self.hidden(), self.hidden()


def content(path: Path) -> object:
    """Return what a file states, without the UIDs and times of DICOM."""
    if path.suffix != ".dcm":
        return path.read_bytes()
    import pydicom

    dataset = pydicom.dcmread(path)
    if "PixelData" in dataset:
        return dataset.PixelData
    (drawn,) = dataset.ROIContourSequence
    return [list(item.ContourData) for item in drawn.ContourSequence]


class Report(Work):
    """A case's report and the table of its frames."""

    NAMES = ("case.html", "frames.csv")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        disks.with_a_case(folder)
        disks.report_a_case(folder)
        self._wanted = self._found()

    def _found(self) -> list[bytes]:
        """Return what the files hold, without a drawing's own names and date."""
        return [
            re.sub(rb"svg.xml;base64,[^\"]*", b"", (self.folder / name).read_bytes())
            for name in self.NAMES
        ]

    def work(self) -> None:
        disks.report_a_case(self.folder)

    def check(self) -> None:
        for _ in range(2):
            assert self._found() == self._wanted
            disks.report_a_case(self.folder)
        assert not self.hidden(), self.hidden()


class Adjudication(Work):
    """Mask, map of who decided, and sidecar, of two states in turn."""

    NAMES = ("decided.nii.gz", "decided_provenance.nii.gz")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._wanted = []
        for decision in ("expert", "nonexpert"):
            self._save(decision)
            self._wanted.append(self._found())

    def _save(self, decision: str) -> None:
        work = disks.adjudication()
        work.decide(work.regions[0], decision)
        disks.save_an_adjudication(self.folder)

    def _found(self) -> list[object]:
        from napari_microus.core.compare.adjudication.sidecar import (
            read_document,
        )
        from napari_microus.core.io import read_mask

        masks = [read_mask(self.folder / name).array.tobytes() for name in self.NAMES]
        (sidecar,) = self.folder.glob("*.json")
        document = read_document(sidecar)
        return [*masks, [region["decision"] for region in document["regions"]]]

    def work(self) -> None:
        for decision in ("expert", "nonexpert"):
            self._save(decision)

    def check(self) -> None:
        for number, found in enumerate(self._found()):
            assert found in [wanted[number] for wanted in self._wanted], number
        self._save("nonexpert")
        assert self._found() == self._wanted[1]
        assert not self.hidden(), self.hidden()


class StudyImport(Work):
    """A new study of a folder's cases: none of them, or all."""

    COUNT = 12

    def __init__(self, folder: Path) -> None:
        from napari_microus.core.io import write_mask, write_volume

        super().__init__(folder)
        self._source = disks.beside(folder) / "plain"
        for number in range(self.COUNT):
            name = f"{number:02d}.nii.gz"
            write_volume(disks.volume(number), self._source / "images" / name, True)
            write_mask(disks.capsule(), self._source / "masks" / name, True)

    def _import(self) -> None:
        disks.command("study", "import", self.folder / "study", self._source)

    def work(self) -> None:
        from napari_microus.core.study import Study

        Study(self.folder / "study").save()
        self._import()

    def check(self) -> None:
        from napari_microus.core.study import Study

        if (self.folder / "study").exists():
            found = len(Study.open(self.folder / "study").cases)
            assert found in (0, self.COUNT), found
        self._import()
        cases = Study.open(self.folder / "study").cases
        assert len(cases) == self.COUNT
        assert not self.hidden(), self.hidden()


class Download(Work):
    """A file from a slow server on this computer."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._bytes = np.random.default_rng(0).bytes(400_000)
        whole = self._bytes

        class Slow(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = self.headers.get("Range")
                start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
                self.send_response(206 if asked else 200)
                self.send_header("Content-Length", str(len(whole) - start))
                self.send_header("ETag", '"one"')
                self.end_headers()
                with contextlib.suppress(OSError):
                    for at in range(start, len(whole), 8000):
                        self.wfile.write(whole[at : at + 8000])
                        time.sleep(0.005)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _fetch(self) -> None:
        from napari_microus.core.download import RemoteFile, download
        from napari_microus.core.events import drain

        digest = hashlib.sha256(self._bytes).hexdigest()
        address = f"http://127.0.0.1:{self._server.server_address[1]}/file.bin"
        file = RemoteFile(address, "file.bin", len(self._bytes), f"sha256:{digest}")
        drain(download(file, self.folder))

    def work(self) -> None:
        (self.folder / "file.bin").unlink(missing_ok=True)
        self._fetch()

    def check(self) -> None:
        target = self.folder / "file.bin"
        if target.exists():
            assert target.read_bytes() == self._bytes
        self._fetch()
        assert target.read_bytes() == self._bytes
        assert [path.name for path in self.folder.iterdir()] == ["file.bin"]

    def hidden(self) -> list[str]:
        return [path.name for path in self.folder.glob("*.part")]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Batch(Work):
    """A folder of scans; what is done is skipped by the next run."""

    COUNT = 8

    def __init__(self, folder: Path) -> None:
        from napari_microus.core.io import write_volume

        super().__init__(folder)
        disks.library(folder)
        self._scans = disks.beside(folder) / "scans"
        for number in range(self.COUNT):
            write_volume(disks.volume(number), self._scans / f"{number}.nii.gz", True)
        self._segment(folder / "whole")
        self._wanted = results(folder / "whole")

    def _segment(self, output: Path) -> None:
        disks.command(
            *("segment", self._scans, "-o", output, "--model", "tiny"),
            *("--device", "cpu", "--precision", "float32"),
        )

    def work(self) -> None:
        import shutil

        # In one step: a kill while a person removes results is another matter.
        old, out = self.folder / "old", self.folder / "out"
        shutil.rmtree(old, ignore_errors=True)
        if out.exists():
            out.rename(old)
        self._segment(out)

    def check(self) -> None:
        out = self.folder / "out"
        for path in out.glob("*_capsule.nii.gz"):
            assert path.read_bytes() == (self.folder / "whole" / path.name).read_bytes()
        self._segment(out)
        assert results(out) == self._wanted
        assert not self.hidden(), self.hidden()


def results(folder: Path) -> dict[str, object]:
    """Return the masks and the table of a batch, without times."""
    import csv

    table = csv.DictReader(
        io.StringIO((folder / "measurements.csv").read_text(encoding="utf-8"))
    )
    rows = [
        {key: value for key, value in row.items() if key not in ("seconds", "date")}
        for row in table
    ]
    masks = {path.name: path.read_bytes() for path in folder.glob("*.nii.gz")}
    return {"rows": rows, **masks}


class Training(Work):
    """A short training; after each kill the same run continues from its checkpoint."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        disks.with_recipe(folder)
        self._start(folder / "first")  # makes the cache of frames
        began = time.monotonic()
        self._start(folder / "whole")
        self.within_s = time.monotonic() - began
        self._wanted = weights(folder / "whole")

    def _start(self, run: Path) -> None:
        recipe = disks.beside(self.folder) / "tiny.yaml"
        words = ("--progress", "none", "--deterministic", "--epochs", "4")
        more = ("--set", "checkpoint_s=0.01", "--set", "data.phantom_frames=12")
        disks.command("train", "--preset", recipe, "-o", run, *words, *more)

    def _go_on(self) -> None:
        import shutil

        run = self.folder / "run"
        if (run / "checkpoints" / "last.ckpt").exists():
            disks.command("resume", run, "--progress", "none")
        else:
            shutil.rmtree(run, ignore_errors=True)
            self._start(run)

    def work(self) -> None:
        self._go_on()
        time.sleep(60)

    def check(self) -> None:
        from napari_microus.core.runs.folder import read_status
        from napari_microus.core.train.checkpoint import load_checkpoint

        run = self.folder / "run"
        for name in ("last", "best"):
            path = run / "checkpoints" / f"{name}.ckpt"
            if path.exists():
                load_checkpoint(path)
        if (run / "config.yaml").exists():
            assert not read_status(run).is_alive
        if (run / "model" / "model.safetensors").exists():  # finished: a new one
            assert weights(run) == self._wanted
            self._end()

    def _end(self) -> None:
        import shutil

        shutil.rmtree(self.folder / "run")

    def finish(self) -> None:
        """Let the run end, and compare it with one that nobody killed."""
        self._go_on()
        assert weights(self.folder / "run") == self._wanted
        assert not self.hidden(), self.hidden()


def weights(run: Path) -> str:
    """Return the digest of what a run learnt."""
    path = run / "model" / "model.safetensors"
    return hashlib.sha256(path.read_bytes()).hexdigest()


WORK = {
    **{
        f"export .{kind}": functools.partial(Export, name=f"capsule.{kind}")
        for kind in (*disks.FORMS, "dcm")
    },
    "export rtstruct": lambda folder: Export(folder, "contours.dcm", "--rtstruct"),
    "export pictures": functools.partial(Export, name="pictures"),
    "report and table": Report,
    "adjudication": Adjudication,
    "study import": StudyImport,
    "download": Download,
    "batch": Batch,
    "training": Training,
}


def run(kind: str, times: int, draw: random.Random, root: Path):
    """Kill work of one kind; return kills in mid-write, and what went wrong."""
    import torch

    torch.set_num_threads(1)  # a fork has no others
    (root / "inputs").mkdir()
    (root / "work").mkdir()
    os.environ.setdefault("XDG_STATE_HOME", str(root / "state"))
    sys.path.insert(0, str(disks.HERE.parent))
    middle, failures = 0, []
    work = WORK[kind](root / "work")
    try:
        if not work.within_s:
            began = time.monotonic()
            work.work()
            work.within_s = time.monotonic() - began
        for number in range(times):
            middle += kill_one(work, draw)
            try:
                work.check()
            except Exception as error:  # noqa: BLE001  each is reported
                failures.append(f"{number}: {type(error).__name__} {error}"[:300])
        if isinstance(work, Training):
            work.finish()
    finally:
        work.close()
    return middle, failures
