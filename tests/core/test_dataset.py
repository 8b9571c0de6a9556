import hashlib
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from drained import drained as run
from napari_microus.core.dataset import fetch_micro_us, unzip
from napari_microus.core.download import RemoteFile
from napari_microus.core.errors import DownloadError, InputError, OutputError
from napari_microus.core.events import Notice


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "served" / "data.zip"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as content:
        content.writestr("Dataset/train/scans/microUS_train_01.nii.gz", b"scan")
        content.writestr("Dataset/test/scans/microUS_test_01.nii.gz", b"other")
        content.writestr("__MACOSX/._x", b"")
    return path


@pytest.fixture
def server(archive):
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    handler = partial(Quiet, directory=archive.parent)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_address[1]}"
        httpd.shutdown()
        thread.join()


def remote(server, archive, **changes):
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    values = {"url": f"{server}/data.zip", "checksum": f"sha256:{digest}"}
    return RemoteFile(name="data.zip", **values | changes)


def test_archive_is_fetched_verified_and_unpacked(tmp_path, server, archive):
    root, events = run(fetch_micro_us(tmp_path / "here", file=remote(server, archive)))
    assert root == tmp_path / "here" / "micro_us"
    scan = root / "train" / "scans" / "microUS_train_01.nii.gz"
    assert scan.read_bytes() == b"scan"
    assert "CC-BY-4.0" in next(e.message for e in events[::-1] if type(e) is Notice)


def test_archive_with_another_checksum_is_not_unpacked(tmp_path, server, archive):
    wrong = remote(server, archive, checksum=f"sha256:{'0' * 64}")
    with pytest.raises(DownloadError, match=r"data\.zip must be the published file"):
        run(fetch_micro_us(tmp_path / "here", file=wrong))
    assert not (tmp_path / "here" / "micro_us").exists()


def test_dataset_already_there_is_not_touched(tmp_path, archive):
    (tmp_path / "micro_us").mkdir()
    with pytest.raises(OutputError, match="must be new"):
        run(fetch_micro_us(tmp_path))


@pytest.mark.parametrize("name", ["../evil.txt", "/evil.txt", "a/../../evil", "C:\\e"])
def test_member_outside_the_folder_is_refused(tmp_path, name):
    path = tmp_path / "bad.zip"
    with zipfile.ZipFile(path, "w") as content:
        content.writestr("fine.txt", b"")
        content.writestr(name, b"")
    with pytest.raises(InputError, match="stay in its folder"):
        run(unzip(path, tmp_path / "out"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.zip"]


def test_truncated_archive_leaves_nothing(tmp_path, archive):
    archive.write_bytes(archive.read_bytes()[:-40])
    with pytest.raises(InputError, match="whole zip file"):
        run(unzip(archive, tmp_path / "out"))
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".out*"))


def test_archive_that_would_fill_the_disk_is_refused(tmp_path):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as content:
        content.writestr("a/zeros", bytes(10_000_000))
    packed = path.read_bytes()
    # Its directory claims 2 GiB in some 10 kB: 200,000 times as much.
    size = (10_000_000).to_bytes(4, "little")
    path.write_bytes(packed.replace(size, (2 << 30).to_bytes(4, "little")))

    with pytest.raises(InputError, match="no more than 100 times its own size"):
        run(unzip(path, tmp_path / "out"))
    assert [p.name for p in tmp_path.iterdir()] == ["bomb.zip"]


def test_link_in_an_archive_is_refused(tmp_path):
    path = tmp_path / "links.zip"
    link = zipfile.ZipInfo("a/link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "w") as content:
        content.writestr(link, "/etc/passwd")
    with pytest.raises(InputError, match="stay in its folder"):
        run(unzip(path, tmp_path / "out"))
    assert [p.name for p in tmp_path.iterdir()] == ["links.zip"]


@pytest.mark.parametrize(
    "offset", [6, 8], ids=["encrypted", "packed in a way that nobody knows"]
)
def test_archive_that_cannot_be_read_is_refused(tmp_path, archive, offset):
    changed = bytearray(archive.read_bytes())
    for signature, extra in ((b"PK\x03\x04", 0), (b"PK\x01\x02", 2)):
        at = changed.find(signature)
        while at >= 0:
            changed[at + offset + extra] = 1 if offset == 6 else 77
            at = changed.find(signature, at + 4)
    archive.write_bytes(bytes(changed))
    with pytest.raises(InputError, match="must be a whole zip file"):
        run(unzip(archive, tmp_path / "out"))
    assert not (tmp_path / "out").exists()
