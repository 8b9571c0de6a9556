"""Videos as a live source; those that need ffmpeg skip where it is not installed."""

import sys
import threading
import time
import types

import numpy as np
import pytest

from napari_microus.core.errors import ConfigError, InputError
from napari_microus.core.live import (
    FolderSource,
    LiveFrame,
    StreamSource,
    VideoSource,
    follow,
    source_of,
    video,
)
from napari_microus.core.live.newest import Newest

RATE = 50.0


class Films:
    """Stands for imageio-ffmpeg: a file holds as many frames as it has bytes."""

    def __init__(self):
        self.module = types.SimpleNamespace(
            get_ffmpeg_exe=lambda: "ffmpeg", read_frames=self.read_frames
        )
        self.begun, self.size, self.rate, self.closed = [], (8, 6), RATE, 0

    def read_frames(self, path, *, pix_fmt, bits_per_pixel, input_params):
        assert (pix_fmt, bits_per_pixel) == ("gray", 8)
        assert input_params[:2] == ["-protocol_whitelist", "file"]
        begin_s = float(input_params[input_params.index("-ss") + 1])
        self.begun.append(begin_s)
        try:
            yield {"size": self.size, "fps": self.rate}
            count = path.stat().st_size
            for number in range(round(begin_s * RATE), count):
                yield bytes([number, 255] + [0] * 46)
        finally:
            self.closed += 1


@pytest.fixture
def films(monkeypatch):
    films = Films()
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", films.module)
    monkeypatch.setattr(video, "_LOOK_S", 0.02)
    monkeypatch.setattr(video, "_STILL_S", 0.2)
    return films


class Kept(Newest):
    def __init__(self):
        super().__init__()
        self.frames, self.at_s = [], []

    def put(self, frame):
        super().put(frame)
        array, spacing_mm = frame.read()
        assert array.shape == (6, 8)
        assert spacing_mm is None
        self.frames.append(int(array[0, 0]))
        self.at_s.append(time.perf_counter())


def test_a_video_is_played_once_at_its_own_rate(films, tmp_path):
    path = tmp_path / "cine.mp4"
    path.write_bytes(bytes(20))
    newest = Kept()
    VideoSource(path).run(newest, threading.Event())
    assert newest.frames == list(range(20))
    # 20 frames at 50 a second: the last one begins 0.38 s after the first.
    assert newest.at_s[-1] - newest.at_s[0] >= 19 / RATE - 0.005
    assert newest.notices() == ["cine.mp4 has come to its end."]
    assert films.closed == len(films.begun) == 1


def test_a_video_that_is_written_is_followed_to_its_newest_frame(
    films, tmp_path, monkeypatch
):
    # Looks far enough apart for a busy machine, and a rate that would take seconds.
    monkeypatch.setattr(video, "_LOOK_S", 0.5)
    monkeypatch.setattr(video, "_STILL_S", 2.0)
    monkeypatch.setattr(sys.modules[__name__], "RATE", 5.0)
    films.rate = 5.0
    path = tmp_path / "cine.mkv"
    path.write_bytes(bytes(30))

    newest = Kept()

    def grow():
        size = 30
        while not newest.frames:  # while it is looked at, and until it is read
            size = min(size + 1, 45)
            path.write_bytes(bytes(size))
            time.sleep(0.02)
        path.write_bytes(bytes(60))

    writer = threading.Thread(target=grow)
    writer.start()
    VideoSource(path).run(newest, threading.Event())
    writer.join()
    assert newest.frames == list(range(60))  # each once, also over the joins
    assert len(films.begun) > 1
    assert films.closed == len(films.begun)
    # No pause between what was there already: faster than its own rate.
    assert newest.at_s[25] - newest.at_s[0] < 25 / RATE


def test_to_stop_ends_a_video_at_once(films, tmp_path):
    path = tmp_path / "cine.mp4"
    path.write_bytes(bytes(200))  # four seconds
    stop, newest = threading.Event(), Kept()
    thread = threading.Thread(target=VideoSource(path).run, args=(newest, stop))
    thread.start()
    while len(newest.frames) < 3:
        time.sleep(0.01)
    stop.set()
    thread.join(30)
    assert not thread.is_alive()
    assert len(newest.frames) < 100
    assert newest.notices() == []
    assert films.closed == 1


def test_what_ffmpeg_cannot_read_is_one_sentence(films, tmp_path):
    path = tmp_path / "cine.mp4"
    path.write_bytes(bytes(5))
    films.size = (9000, 6)
    newest = Newest()
    VideoSource(path).run(newest, threading.Event())
    assert "of cine.mp4 are 9000 × 6 pixels large" in newest.notices()[0]

    def broken(*_, **__):
        raise OSError("Could not load meta information")
        yield

    films.module.read_frames = broken
    VideoSource(path).run(newest, threading.Event())
    assert newest.notices() == [
        "Cannot play cine.mp4: not a video that ffmpeg reads, or incomplete. Convert "
        "it to .mp4 or .mkv."
    ]
    assert newest.received == 0


def test_an_address_says_what_it_is(films, tmp_path):
    path = tmp_path / "cine.avi"
    path.touch()
    assert isinstance(source_of(str(tmp_path)), FolderSource)
    assert source_of(f" {path} ").name == "cine.avi"
    assert isinstance(source_of("probe:18950"), StreamSource)
    for nothing in ("", "  "):
        with pytest.raises(ConfigError, match="host and a port"):
            source_of(nothing)
    with pytest.raises(InputError, match=r"must be a file; got .*none\.mp4"):
        source_of(str(tmp_path / "none.mp4"))


def test_without_ffmpeg_there_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    path = tmp_path / "cine.mp4"
    path.touch()
    with pytest.raises(ConfigError, match="must be read by imageio-ffmpeg") as stated:
        VideoSource(path)
    assert "pip install imageio-ffmpeg" in stated.value.plain


# imageio-ffmpeg leaves the pipes of its processes to the garbage collector.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_real_frames_come_out_of_a_real_video(tmp_path, bright, real_frames, suffix):
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    path = tmp_path / f"cine{suffix}"
    frames = real_frames[:5, :258, :368]  # even, as the codec wants
    film = ffmpeg.write_frames(path, (368, 258), fps=10, quality=10, macro_block_size=2)
    film.send(None)
    for frame in frames:
        film.send(np.stack([frame] * 3, axis=-1))
    film.close()

    seen = [
        event
        for event in follow(bright, VideoSource(path), device="cpu")
        if isinstance(event, LiveFrame)
    ]
    last = seen[-1]
    assert last.number + last.dropped == last.received == 5
    assert last.frame.shape == (258, 368)
    error = np.abs(last.frame.astype(int) - frames[-1])
    assert np.median(error) <= 3
    assert last.spacing_mm is None


def test_a_folder_that_is_not_there_is_no_host(tmp_path):
    with pytest.raises(InputError) as caught:
        source_of(str(tmp_path / "screens"))

    assert caught.value.plain.startswith(f"There is no folder or video {tmp_path}")
