"""A run's folder: who works in it, what it reported, and how to stop it.

::

    run/
      config.yaml        every setting of the run
      fingerprint.json   digests of settings, data, split and code it began with
      status.json        state, process, epoch, best DSC
      events.jsonl       every event, one JSON object a line
      checkpoints/       last.ckpt (to resume) and best.ckpt (weights of best epoch)
      curves.csv, curves.png
      preview.npz        the current prediction on one validation frame
      model/             the finished model: weights, configuration, card, metrics
      stop, pause        flag files: create one to stop or pause the run
      watch.json         which validation case and frame the preview shows
      run.lock           held by the process that trains
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.events import Event, Failed, from_json, to_json
from napari_microus.core.files import atomic_write

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_microus.core.config.train import TrainConfig

# States in which nothing more will happen until somebody resumes the run.
ENDED = ("finished", "stopped", "failed", "interrupted")
WATCH = "watch.json"
# More than the longest status has: what is in it is overwritten in place.
_STATUS_BYTES = 4096


@dataclass(frozen=True)
class RunStatus:
    """What a run's folder states without opening a checkpoint.

    ``state`` is "preparing", "running", "paused", "finished", "stopped", "failed",
    or "interrupted" where the process vanished without a word.
    """

    path: str
    name: str = ""
    state: str = "preparing"
    message: str = ""
    pid: int = 0
    started: float = 0.0
    updated: float = 0.0
    epoch: int = 0
    epochs: int = 0
    best_dice: float | None = None

    @property
    def is_alive(self) -> bool:
        """Whether a process is at work on the run."""
        return self.state not in ENDED


class RunFolder:
    """The folder of the run that this process trains; use as a context manager."""

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self._name = name
        self._lock: IO[str] | None = None
        self._events: IO[str] | None = None
        self._status = RunStatus(str(path), name=name)

    @classmethod
    def create(cls, config: TrainConfig) -> Self:
        """Make the folder of a new run and take hold of it.

        The folder of a run that failed before its first step is used again: there
        is nothing to resume, and what was wrong has been mended.

        Raises
        ------
        OutputError
            If the folder holds a run already or cannot be written.
        """
        path = Path(config.output)
        is_void = _failed_at_once(path)
        if (path / "config.yaml").exists() and not is_void:
            raise OutputError(
                f"A new run needs a folder of its own; got {path}, which holds one. "
                "Choose another folder, or resume that run.",
                plain=(
                    f"There is a run in {path} already. Choose another folder, or "
                    "resume that run."
                ),
            )
        run = cls(path, config.name)
        run._take()
        if is_void:
            for name in ("events.jsonl", "fingerprint.json"):
                (path / name).unlink(missing_ok=True)
        config.to_yaml(path / "config.yaml", overwrite=is_void)
        return run

    @classmethod
    def reopen(cls, path: Path, name: str) -> Self:
        """Take hold of an existing run to continue with it."""
        run = cls(path, name)
        run._take()
        for flag in ("stop", "pause"):
            (path / flag).unlink(missing_ok=True)
        return run

    def _take(self) -> None:
        try:
            (self.path / "checkpoints").mkdir(parents=True, exist_ok=True)
            self._lock = (self.path / "run.lock").open("a")
        except OSError as error:
            raise OutputError(
                f"The run folder must be writable; got {self.path} "
                f"({error.strerror}). Choose another folder.",
                plain=(
                    f"Nothing can be written into the run's folder {self.path} "
                    f"({error.strerror}). Choose another folder."
                ),
            ) from error
        if not _lock(self._lock):
            self._lock.close()
            raise OutputError(
                f"A run folder serves one process at a time; got {self.path}, in "
                "which another one trains. Stop that one first, or choose another "
                "folder.",
                plain=(
                    f"Another process trains in {self.path}. Stop that one first, "
                    "or choose another folder."
                ),
            )

    def open_events(self, keep_bytes: int | None = None) -> None:
        """Begin to record, after the first ``keep_bytes`` of what is there."""
        path = self.path / "events.jsonl"
        if keep_bytes is not None and path.exists():
            os.truncate(path, min(keep_bytes, path.stat().st_size))
        self._events = path.open("a", encoding="utf-8")

    @property
    def events_bytes(self) -> int:
        """Bytes recorded so far, so that a resumed run can drop what came after."""
        if self._events is None:
            return 0
        self._events.flush()
        return self._events.tell()

    def record(self, event: Event) -> Event:
        """Append ``event`` to the run's record and return it."""
        if not (self.path / "config.yaml").exists():
            raise OutputError(
                f"A run's folder must stay where it is while it trains; got no "
                f"{self.path} any more. Start a new run.",
                plain=f"The run's folder {self.path} has gone. Start a new run.",
            )
        if self._events is None:
            self.open_events()
        assert self._events is not None  # just opened
        try:
            self._events.write(to_json(event) + "\n")
            self._events.flush()
        except OSError as error:
            raise OutputError(
                f"The run folder must be writable; got {self.path} "
                f"({error.strerror}). Free some space and resume the run.",
                plain=(
                    f"Nothing can be written into the run's folder {self.path} "
                    f"({error.strerror}). Free some space and resume the run."
                ),
            ) from error
        return event

    def set_status(self, **changes: Any) -> None:
        """Write what `list_runs` shows."""
        values = asdict(self._status) | {"updated": time.time(), "pid": os.getpid()}
        values["started"] = values["started"] or time.time()
        self._status = RunStatus(**(values | changes))
        path = self.path / "status.json"
        # With room to spare, so that the end can be written on a disk that is full.
        written = json.dumps(asdict(self._status)).ljust(_STATUS_BYTES).encode()
        try:
            with atomic_write(path, overwrite=True) as temporary:
                temporary.write_bytes(written)
        except OutputError:
            if self._status.is_alive or not _fits(written, path):
                raise
            with path.open("r+b") as file:
                file.write(written)
                file.truncate()

    @property
    def is_alive(self) -> bool:
        """Whether the end of the run has not been written yet."""
        return self._status.is_alive

    def wants(self, flag: str) -> bool:
        """Return whether somebody left the flag file "stop" or "pause"."""
        return (self.path / flag).exists()

    def watched(self) -> tuple[int, int | None]:
        """Return which validation case, by number, and frame somebody wants to see.

        Frame None is the one with the largest expert mask.
        """
        try:
            wanted = json.loads((self.path / WATCH).read_text(encoding="utf-8"))
            frame = wanted["frame"]
            return int(wanted["case"]), None if frame is None else int(frame)
        except (OSError, ValueError, TypeError, KeyError):
            return 0, None

    def fail(self, event: Failed) -> None:
        """Note how the run ended, as far as the disk still lets us."""
        if not self.path.exists():
            return
        with contextlib.suppress(OSError):
            self.record(event)
        with contextlib.suppress(OSError):
            self.set_status(state="failed", message=event.message)

    def close(self) -> None:
        """Let go of the folder."""
        if self._events is not None:
            self._events.close()
        if self._lock is not None:
            self._lock.close()  # closing releases the lock


def _fits(written: bytes, path: Path) -> bool:
    """Return whether a file can take these bytes without growing."""
    return path.exists() and len(written) <= path.stat().st_size


def request(run: str | Path, flag: str, *, on: bool = True) -> None:
    """Ask the process that trains in ``run`` to "stop" or "pause", or to continue."""
    path = Path(run) / flag
    if on:
        path.touch()
    else:
        path.unlink(missing_ok=True)


def request_preview(run: str | Path, case: int, frame: int | None) -> None:
    """Ask to see a validation case, by its number from 0, from the next look on.

    Frame None is the one with the largest expert mask; beyond the last case the
    count begins again.
    """
    text = json.dumps({"case": case, "frame": frame})
    with atomic_write(Path(run) / WATCH, overwrite=True) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_status(run: str | Path) -> RunStatus:
    """Return the state of one run.

    Raises
    ------
    InputError
        If the folder holds no run.
    """
    path = Path(run)
    if not (path / "config.yaml").is_file():
        raise InputError(
            f"A run folder must hold a config.yaml; got {path}. "
            "Choose a folder that `napari-microus train` made.",
            plain=(f"{path} is no folder of a run. Choose one that training has made."),
        )
    try:
        values = json.loads((path / "status.json").read_text(encoding="utf-8"))
        status = RunStatus(**(values | {"path": str(path)}))
    except (OSError, ValueError, TypeError):
        status = RunStatus(str(path), name=path.name)
    if status.is_alive and not _is_held(path / "run.lock"):
        values = asdict(status) | {
            "state": "interrupted",
            "message": "The process ended without a word; the run can be resumed.",
        }
        status = RunStatus(**values)
    return status


def _failed_at_once(path: Path) -> bool:
    """Return whether a folder holds a run that failed before its first checkpoint."""
    if not (path / "config.yaml").is_file() or any((path / "checkpoints").glob("*")):
        return False
    return read_status(path).state == "failed"


def list_runs(folder: str | Path) -> list[RunStatus]:
    """Return the runs directly below ``folder``, the latest first."""
    runs = [read_status(path.parent) for path in Path(folder).glob("*/config.yaml")]
    return sorted(runs, key=lambda run: run.started, reverse=True)


def attach(
    run: str | Path, *, poll_s: float = 0.2, from_byte: int = 0
) -> Generator[Event, None, RunStatus]:
    """Yield what a run has reported and keeps reporting, until it has ended.

    Parameters
    ----------
    run : path
        Run folder.
    poll_s : float
        Seconds between two looks.
    from_byte : int
        Where to begin in ``events.jsonl``.

    Returns
    -------
    RunStatus
        The state in which the run ended.
    """
    path, position, rest = Path(run) / "events.jsonl", from_byte, b""
    while True:
        status = read_status(run)  # before reading: what came earlier is then there
        if path.exists():
            if path.stat().st_size < position:  # resumed: the tail was dropped
                position, rest = path.stat().st_size, b""
            with path.open("rb") as file:
                file.seek(position)
                chunk = file.read()
            position += len(chunk)
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                event = from_json(line.decode("utf-8"))
                if event is not None:
                    yield event
        if not status.is_alive:
            return status
        time.sleep(poll_s)


def _is_held(path: Path) -> bool:
    try:
        with path.open("a") as file:
            return not _lock(file)
    except OSError:
        return False


def _lock(file: IO[str]) -> bool:
    """Take the lock that the system drops when the process ends, however it ends."""
    try:
        if os.name == "nt":
            import msvcrt

            file.seek(0)
            getattr(msvcrt, "locking")(file.fileno(), 2, 1)  # noqa: B009  LK_NBLCK
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
