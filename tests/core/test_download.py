import base64
import hashlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from drained import drained as drain
from napari_microus.core.download import RemoteFile, download
from napari_microus.core.errors import DownloadError, OutputError
from napari_microus.core.events import Notice, Progress

CONTENT = np.random.default_rng(0).bytes(1_000_000)
SHA256 = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


class Handler(BaseHTTPRequestHandler):
    """Serves one file with ranges; breaks, refuses or changes it on demand."""

    def do_GET(self):
        server = self.server
        server.requests.append(dict(self.headers))
        if server.failures:
            status, sent = server.failures.pop(0)
            if status != 200:
                self.send_error(status)
                return
        else:
            sent = None
        content, start = server.content, 0
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if match and self.headers.get("If-Range", server.etag) == server.etag:
            start = int(match[1])
            if start >= len(content):
                self.send_error(416)
                return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("ETag", server.etag)
        if server.digest:
            self.send_header("x-goog-hash", f"crc32c=AAAAAA==,md5={server.digest}")
        self.end_headers()
        self.wfile.write(content[start : None if sent is None else start + sent])
        self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.content, httpd.etag, httpd.digest = CONTENT, '"v1"', None
    httpd.requests, httpd.failures = [], []
    thread = threading.Thread(
        target=httpd.serve_forever, kwargs={"poll_interval": 0.01}
    )
    thread.start()
    yield httpd
    httpd.shutdown()
    thread.join()
    httpd.server_close()


@pytest.fixture
def remote(server):
    def make(**changes):
        url = f"http://127.0.0.1:{server.server_port}/weights.npz"
        return RemoteFile(**{"url": url, "name": "weights.npz"} | changes)

    return make


def test_file_arrives_whole_with_progress_in_bytes(remote, tmp_path):
    file = remote(size=len(CONTENT), checksum=SHA256)

    path, events = drain(download(file, tmp_path / "new" / "folder"))

    assert path.read_bytes() == CONTENT
    assert [p.name for p in path.parent.iterdir()] == ["weights.npz"]
    assert events[-1] == Progress(len(CONTENT), len(CONTENT), "bytes", "weights.npz")
    done = [event.done for event in events]
    assert done == sorted(done)
    assert len(done) > 2


def test_broken_connection_is_resumed_where_it_broke(server, remote, tmp_path):
    server.failures = [(200, 300_000), (503, 0), (200, 200_000)]

    path, events = drain(download(remote(checksum=SHA256), tmp_path, pause_s=0))

    assert path.read_bytes() == CONTENT
    ranges = [request.get("Range") for request in server.requests]
    assert ranges == [None, "bytes=300000-", "bytes=300000-", "bytes=500000-"]
    assert sum(isinstance(event, Notice) for event in events) == 3


def test_cancelled_download_keeps_its_part_and_resumes(server, remote, tmp_path):
    events = download(remote(checksum=SHA256), tmp_path)
    next(events)
    events.close()

    assert not (tmp_path / "weights.npz").exists()
    have = (tmp_path / "weights.npz.part").stat().st_size
    assert 0 < have < len(CONTENT)

    path, _ = drain(download(remote(checksum=SHA256), tmp_path))
    assert path.read_bytes() == CONTENT
    assert server.requests[-1]["Range"] == f"bytes={have}-"


def test_changed_file_is_not_joined_to_the_old_part(server, remote, tmp_path):
    events = download(remote(), tmp_path)
    next(events)
    events.close()
    server.content, server.etag = CONTENT[::-1], '"v2"'

    path, _ = drain(download(remote(), tmp_path))

    assert path.read_bytes() == CONTENT[::-1]


def test_whole_part_needs_no_more_bytes(remote, tmp_path):
    (tmp_path / "weights.npz.part").write_bytes(CONTENT)
    file = remote(size=len(CONTENT), checksum=SHA256)

    path, _ = drain(download(file, tmp_path))

    assert path.read_bytes() == CONTENT


def test_part_longer_than_the_file_starts_anew(remote, tmp_path):
    (tmp_path / "weights.npz.part").write_bytes(CONTENT + b"more")

    path, _ = drain(download(remote(checksum=SHA256), tmp_path, pause_s=0))

    assert path.read_bytes() == CONTENT


def test_wrong_checksum_leaves_nothing_behind(server, remote, tmp_path):
    server.content = CONTENT[:-1] + b"!"

    with pytest.raises(DownloadError, match="published file; got sha256"):
        drain(download(remote(checksum=SHA256), tmp_path))

    assert list(tmp_path.iterdir()) == []


def test_digest_sent_by_the_server_is_checked(server, remote, tmp_path):
    server.digest = base64.b64encode(hashlib.md5(b"other").digest()).decode()

    with pytest.raises(DownloadError, match="got md5"):
        drain(download(remote(), tmp_path))

    server.digest = base64.b64encode(hashlib.md5(CONTENT).digest()).decode()
    path, _ = drain(download(remote(), tmp_path))
    assert path.read_bytes() == CONTENT


def test_wrong_size_is_refused_before_the_transfer(remote, tmp_path):
    with pytest.raises(DownloadError, match="7 bytes; got 1000000"):
        drain(download(remote(size=7), tmp_path))


def test_missing_file_is_reported_at_once(server, remote, tmp_path):
    server.failures = [(404, 0)]

    with pytest.raises(DownloadError, match="must be reachable; got HTTP 404"):
        drain(download(remote(), tmp_path))

    assert len(server.requests) == 1


def test_unreachable_server_is_given_up_after_five_attempts(tmp_path):
    file = RemoteFile("http://127.0.0.1:9/weights.npz", "weights.npz")

    events = download(file, tmp_path, pause_s=0)
    with pytest.raises(DownloadError, match="must be reachable"):
        drain(events)


def test_right_file_is_not_fetched_again(server, remote, tmp_path):
    (tmp_path / "weights.npz").write_bytes(CONTENT)

    path, _ = drain(download(remote(checksum=SHA256), tmp_path))

    assert path.read_bytes() == CONTENT
    assert server.requests == []


def test_another_file_of_that_name_is_kept_unless_overwriting(remote, tmp_path):
    other = tmp_path / "weights.npz"
    other.write_bytes(b"mine")

    with pytest.raises(OutputError, match="hold the right file"):
        drain(download(remote(checksum=SHA256), tmp_path))
    assert other.read_bytes() == b"mine"

    drain(download(remote(checksum=SHA256), tmp_path, overwrite=True))
    assert other.read_bytes() == CONTENT


def test_folder_that_is_a_file_is_refused(remote, tmp_path):
    (tmp_path / "folder").write_bytes(b"")

    with pytest.raises(OutputError, match="Cannot write to"):
        drain(download(remote(), tmp_path / "folder"))
