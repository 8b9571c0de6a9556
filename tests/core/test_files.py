import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.files import (
    PatientFile,
    append_line,
    atomic_folder,
    atomic_write,
    bring_back,
    reason,
)
from small_disk import files_of_at_most


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fail_halfway(path: Path, error: type[BaseException], **options: bool) -> None:
    with atomic_write(path, **options) as temporary:
        temporary.write_text("half")
        raise error("stop")


def test_file_appears_whole_under_its_name(tmp_path):
    with atomic_write(tmp_path / "a.txt") as path:
        path.write_text("half")
        assert path.name == "a.txt"
        assert not (tmp_path / "a.txt").exists()
        path.write_text("whole")

    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "whole"
    assert names(tmp_path) == ["a.txt"]


def test_missing_folders_are_made(tmp_path):
    with atomic_write(tmp_path / "new" / "folder" / "a.txt") as path:
        path.write_text("x")

    assert (tmp_path / "new" / "folder" / "a.txt").read_text(encoding="utf-8") == "x"


@pytest.mark.parametrize("error", [InputError, KeyboardInterrupt, RuntimeError])
def test_error_leaves_nothing_behind(tmp_path, error):
    with pytest.raises(error):
        fail_halfway(tmp_path / "new" / "a.txt", error)

    assert names(tmp_path) == []


def test_error_keeps_folders_that_were_there(tmp_path):
    (tmp_path / "theirs").mkdir()

    with pytest.raises(RuntimeError):
        fail_halfway(tmp_path / "theirs" / "new" / "a.txt", RuntimeError)

    assert names(tmp_path) == ["theirs"]
    assert names(tmp_path / "theirs") == []


def test_file_that_is_there_is_not_replaced_unasked(tmp_path):
    (tmp_path / "a.txt").write_text("old")

    with pytest.raises(OutputError, match="already exists"):
        with atomic_write(tmp_path / "a.txt") as path:
            path.write_text("new")
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "old"
    assert names(tmp_path) == ["a.txt"]


def test_file_is_replaced_when_asked_and_kept_on_an_error(tmp_path):
    (tmp_path / "a.txt").write_text("old")

    with pytest.raises(RuntimeError):
        fail_halfway(tmp_path / "a.txt", RuntimeError, overwrite=True)
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "old"

    with atomic_write(tmp_path / "a.txt", overwrite=True) as path:
        path.write_text("new")
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "new"
    assert names(tmp_path) == ["a.txt"]


def test_file_in_place_of_the_folder_is_reported(tmp_path):
    (tmp_path / "a").write_text("a file")

    with pytest.raises(OutputError, match="Cannot write to"):
        with atomic_write(tmp_path / "a" / "b.txt"):
            pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to any folder")
def test_protected_folder_is_reported(tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)

    with pytest.raises(OutputError, match="Cannot write to"):
        with atomic_write(tmp_path / "locked" / "b.txt"):
            pass


def test_folder_that_cannot_be_written_is_reported(tmp_path, monkeypatch):
    def refuse(**kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("napari_microus.core.files.mkdtemp", refuse)

    with pytest.raises(OutputError, match=r"Cannot write to .*\(Permission denied\)"):
        with atomic_write(tmp_path / "new" / "b.txt"):
            pass
    assert names(tmp_path) == []


def test_folder_of_the_files_name_is_reported(tmp_path):
    (tmp_path / "a.txt").mkdir()

    with pytest.raises(OutputError, match="Cannot write to"):
        with atomic_write(tmp_path / "a.txt", overwrite=True) as path:
            path.write_text("x")
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="needs POSIX file limits")
def test_full_disk_is_reported_and_leaves_nothing(tmp_path):
    code = """
import resource, signal, sys
from napari_microus.core.files import atomic_write
from napari_microus.core.errors import OutputError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    with atomic_write(sys.argv[1]) as path:
        path.write_bytes(bytes(5000))
except OutputError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.bin")],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.startswith("Cannot write to")
    assert "Check the free space" in done.stdout
    assert names(tmp_path) == []


def test_what_a_killed_process_left_is_removed_by_the_next_writer(tmp_path):
    """A child is killed while it writes; one that still works keeps its folder."""
    code = (
        "import os, signal, sys\n"
        "from napari_microus.core.files import atomic_write\n"
        "with atomic_write(sys.argv[1]) as temporary:\n"
        "    temporary.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = tmp_path / "last.ckpt"
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert [p.is_dir() for p in tmp_path.iterdir()] == [True]
    with atomic_write(path) as one:
        one.write_text("whole")
        with atomic_write(tmp_path / "last.ckpt.json") as other:
            other.write_text("also")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["last.ckpt", "last.ckpt.json"]


def test_longest_name_that_a_file_may_have_is_written(tmp_path):
    path = tmp_path / ("u" * 243 + ".nii.gz")
    with atomic_write(path) as temporary:
        temporary.write_text("whole")
    assert path.read_text(encoding="utf-8") == "whole"


def test_folder_appears_whole_under_its_name(tmp_path):
    with atomic_folder(tmp_path / "new" / "case") as folder:
        (folder / "a.txt").write_text("half")
        assert folder.name == "case"
        assert not (tmp_path / "new" / "case").exists()
        (folder / "a.txt").write_text("whole")

    assert (tmp_path / "new" / "case" / "a.txt").read_text(encoding="utf-8") == "whole"
    assert names(tmp_path / "new") == ["case"]
    by_umask = tmp_path / "plain"
    by_umask.mkdir()
    assert (tmp_path / "new" / "case").stat().st_mode == by_umask.stat().st_mode


def test_folder_takes_an_empty_ones_place_but_no_others(tmp_path):
    (tmp_path / "empty").mkdir()
    with atomic_folder(tmp_path / "empty") as folder:
        (folder / "a.txt").write_text("whole")
    assert names(tmp_path / "empty") == ["a.txt"]

    for taken in ("empty", "empty/a.txt"):
        with pytest.raises(OutputError, match="already exists"):
            with atomic_folder(tmp_path / taken):
                pass
    assert names(tmp_path / "empty") == ["a.txt"]


def fill(path: Path, then: Callable[[], object]) -> None:
    with atomic_folder(path) as folder:
        (folder / "a.txt").write_text("ours")
        then()


def test_folder_that_another_made_meanwhile_is_kept(tmp_path):
    def other() -> None:
        (tmp_path / "case").mkdir()
        (tmp_path / "case" / "a.txt").write_text("theirs")

    with pytest.raises(OutputError, match="Cannot write to"):
        fill(tmp_path / "case", other)
    assert (tmp_path / "case" / "a.txt").read_text(encoding="utf-8") == "theirs"
    assert names(tmp_path) == ["case"]


@pytest.mark.parametrize("error", [InputError, KeyboardInterrupt, RuntimeError])
def test_error_leaves_no_folder_behind(tmp_path, error):
    def fail() -> None:
        raise error("stop")

    with pytest.raises(error):
        fill(tmp_path / "new" / "case", fail)
    assert names(tmp_path) == []


def test_file_in_place_of_the_folders_parent_is_reported(tmp_path):
    (tmp_path / "a").write_text("a file")
    with pytest.raises(OutputError, match="Cannot write to"):
        with atomic_folder(tmp_path / "a" / "case"):
            pass


def make(path: Path, content: str) -> None:
    with atomic_folder(path, overwrite=True) as folder:
        (folder / "a.txt").write_text(content)


def test_folder_takes_anothers_place_when_it_is_whole(tmp_path):
    make(tmp_path / "model", "old")
    make(tmp_path / "model", "new")

    assert (tmp_path / "model" / "a.txt").read_text(encoding="utf-8") == "new"
    assert names(tmp_path) == ["model"]


def fail_at(monkeypatch, *numbers: int) -> None:
    """Let some of the next renamings fail, counted from 1."""
    rename, calls = os.rename, []

    def failing(source, target):
        calls.append(target)
        if len(calls) in numbers:
            raise PermissionError(errno.EACCES, "Permission denied")
        rename(source, target)

    monkeypatch.setattr("napari_microus.core.files.os.rename", failing)


def test_folder_is_back_when_the_new_one_cannot_take_its_place(tmp_path, monkeypatch):
    make(tmp_path / "model", "old")
    fail_at(monkeypatch, 2)  # 1: aside, 2: the new one, 3: back

    with pytest.raises(OutputError, match="Permission denied"):
        make(tmp_path / "model", "new")
    assert (tmp_path / "model" / "a.txt").read_text(encoding="utf-8") == "old"
    assert names(tmp_path) == ["model"]


def test_folder_that_cannot_be_put_back_is_kept_and_comes_back(tmp_path, monkeypatch):
    make(tmp_path / "model", "old")
    with monkeypatch.context() as disk:
        fail_at(disk, 2, 3, 4, 5)
        with pytest.raises(OutputError, match="What was there is kept in") as stated:
            make(tmp_path / "model", "new")
    (kept,) = tmp_path.glob(".model.*")
    assert str(kept) in str(stated.value)

    bring_back(tmp_path)

    assert (tmp_path / "model" / "a.txt").read_text(encoding="utf-8") == "old"


def test_folder_comes_back_after_its_replacer_was_killed(tmp_path):
    code = (
        "import os; from pathlib import Path; from napari_microus.core import files\n"
        f"path = Path({str(tmp_path)!r}) / 'model'\n"
        "def make(text):\n"
        "    with files.atomic_folder(path, overwrite=True) as folder:\n"
        "        (folder / 'a.txt').write_text(text)\n"
        "make('old')\n"
        "rename = os.rename\n"
        "def killed(source, target):\n"
        "    rename(source, target)\n"
        "    os._exit(9)\n"
        "files.os.rename = killed\n"
        "make('new')\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=False)
    assert ended.returncode == 9
    assert not (tmp_path / "model").exists()

    bring_back(tmp_path)

    assert (tmp_path / "model" / "a.txt").read_text(encoding="utf-8") == "old"
    make(tmp_path / "model", "new")
    assert names(tmp_path) == ["model"]


def test_line_is_added_whole_or_not_at_all(tmp_path):
    path = tmp_path / "uses.jsonl"
    append_line(path, "one")
    with files_of_at_most(6), pytest.raises(OutputError, match="File too large"):
        append_line(path, "two")
    assert path.read_text(encoding="utf-8") == "one\n"


def test_patient_file_states_at_its_end_that_the_disk_was_full(tmp_path):
    def write() -> int:
        with PatientFile(tmp_path / "a") as file:
            return file.write(b"x" * 100_000) + file.write(b"y" * 10)

    assert write() == 100_010
    with files_of_at_most(6), pytest.raises(OSError, match="File too large"):
        write()


def test_reason_is_the_systems_word_and_no_traceback():
    cause = OSError(errno.ENOSPC, "No space left on device")
    stated = OSError("In element (7FE0,0010)\nTraceback (most recent call last):\n …")
    stated.__cause__ = cause
    assert reason(stated) == "No space left on device"
    assert reason(OSError("first line\nsecond")) == "first line"
    lost = shutil.Error([("a", "b", "[Errno 28] No space left on device")])
    assert reason(lost) == "[Errno 28] No space left on device"


@pytest.fixture
def order(monkeypatch) -> list[str]:
    """What the system was asked, in turn: "sync NAME" and "rename"."""
    stated, sync, replace, rename = [], os.fsync, os.replace, os.rename

    def noted_sync(opened):
        stated.append(f"sync {Path(os.readlink(f'/proc/self/fd/{opened}')).name}")
        sync(opened)

    def noted(what):
        def call(*paths):
            stated.append("rename")
            what(*paths)

        return call

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(os, "replace", noted(replace))
    monkeypatch.setattr(os, "rename", noted(rename))
    return stated


on_linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@on_linux
def test_a_file_is_on_the_disk_before_it_takes_its_name(tmp_path, order):
    with atomic_write(tmp_path / "a.txt") as path:
        path.write_text("whole")

    assert order == ["sync a.txt", "rename", f"sync {tmp_path.name}"]


@on_linux
def test_a_folders_files_are_on_the_disk_before_it_takes_its_name(tmp_path, order):
    with atomic_folder(tmp_path / "case") as path:
        (path / "frames").mkdir()
        (path / "frames" / "1.png").write_text("x")
        (path / "case.json").write_text("{}")

    at = order.index("rename")
    before, after = order[:at], order[at + 1 :]
    assert sorted(before) == [
        *("sync 1.png", "sync case", "sync case.json", "sync frames", "sync new"),
    ]
    assert after == [f"sync {tmp_path.name}"]


@on_linux
def test_a_line_is_on_the_disk_when_it_is_reported_to_be_there(tmp_path, order):
    append_line(tmp_path / "log.txt", "one")
    assert order == ["sync log.txt"]


def test_a_disk_that_loses_what_was_written_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def lost(opened):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", lost)
    with pytest.raises(OutputError, match="Input/output error"):
        write_text(path, "new")
    assert path.read_text(encoding="utf-8") == "old"
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP])
def test_a_disk_that_cannot_state_is_written_all_the_same(tmp_path, monkeypatch, code):
    def unknown(opened):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", unknown)
    write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "new"


def write_text(path: Path, text: str) -> None:
    with atomic_write(path, overwrite=True) as temporary:
        temporary.write_text(text)
