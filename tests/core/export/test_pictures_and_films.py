"""Overlays and films show each frame with its contour, and hold nothing else."""

import sys

import numpy as np
import pytest
from PIL import Image

from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.events import Notice, Progress, drain
from napari_microus.core.export import film as film_module
from napari_microus.core.export.film import write_film
from napari_microus.core.export.overlays import write_overlays
from napari_microus.core.volume import Volume

CAPSULE = (0xF0, 0xE4, 0x42)


def sweep(*, frames=4, dtype=np.uint8, spacing=(1.0, 0.2, 0.1), **known):
    """Frames of 40 × 120 pixels, each of its own grey, and a square in all but one."""
    greys = np.arange(frames)[:, None, None] * 40 + 20
    scan = np.broadcast_to(greys, (frames, 40, 120)).astype(dtype)
    mask = np.zeros(scan.shape, np.uint8)
    mask[:-1, 10:30, 30:90] = 1
    mask[0, 5, 5] = 255  # undecided
    affine = np.diag([-spacing[2], -spacing[1], spacing[0], 1.0])
    known.setdefault("metadata", {"source": "/home/ZQPATIENT/scan.dcm"})
    return Volume(scan, affine, **known), Volume(mask, affine)


def near(picture, colour):
    """Where an RGB picture has nearly a colour."""
    apart = np.abs(np.asarray(picture.convert("RGB"), int) - colour)
    return apart.max(axis=2) < 30


def test_a_film_has_square_pixels_and_a_contour(tmp_path):
    scan, mask = sweep()
    path = tmp_path / "film.gif"

    assert drain(write_film(scan, mask, path)) == path

    with Image.open(path) as film:
        # 12 mm wide and 8 mm high: 120 × 80.
        assert film.size == (120, 80)
        assert film.n_frames == 4
        assert film.info["duration"] == 100
        assert film.info["loop"] == 0
        for number in range(4):
            film.seek(number)
            picture = film.convert("RGB")
            corner = np.asarray(picture)[2, 2].astype(int)
            assert np.abs(corner - (number * 40 + 20)).max() <= 2
            drawn = near(picture, CAPSULE)
            assert drawn.any() == (number < 3)
            if number < 3:
                rows, columns = np.nonzero(drawn)
                # The square's border: rows 10 to 30 are 20 to 60 px here.
                assert rows.min() in (19, 20)
                assert rows.max() in (59, 60)
                assert columns.min() in (29, 30)
                assert columns.max() in (89, 90)
                assert not drawn[25:55, 35:85].any()


def test_a_film_is_no_wider_than_asked(tmp_path):
    scan, mask = sweep()

    drain(write_film(scan, mask, tmp_path / "film.gif", width_px=60))

    with Image.open(tmp_path / "film.gif") as film:
        assert film.size == (60, 40)


@pytest.mark.parametrize(
    ("stated", "asked", "ms"),
    [
        ({"frame_time_ms": 60.0}, None, 60),
        ({"cine_rate_fps": 20.0}, None, 50),
        ({"frame_time_ms": 5.0}, None, 20),
        ({"frame_time_ms": 60.0}, 200, 200),
        ({}, None, 100),
    ],
)
def test_the_time_of_a_frame(tmp_path, stated, asked, ms):
    scan, mask = sweep(metadata=stated)

    drain(write_film(scan, mask, tmp_path / "film.gif", frame_ms=asked))

    with Image.open(tmp_path / "film.gif") as film:
        times = []
        for number in range(film.n_frames):
            film.seek(number)
            times.append(film.info["duration"])
    assert times == [ms] * 4


def test_other_greys_become_black_to_white(tmp_path):
    scan, _ = sweep(dtype=np.float32)
    scan.array[1, 0, 0] = np.nan

    drain(write_film(scan, None, tmp_path / "film.gif"))

    with Image.open(tmp_path / "film.gif") as film:
        seen = []
        for number in range(4):
            film.seek(number)
            seen.append(int(np.asarray(film.convert("L"))[40, 60]))
    np.testing.assert_allclose(seen, [0, 85, 170, 255], atol=2)


def test_a_large_gif_leaves_frames_out_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(film_module, "_MOST_GIF_PIXELS", 2 * 120 * 80)
    scan, mask = sweep()
    events = []

    drain(write_film(scan, mask, tmp_path / "film.gif"), events.append)

    (notice,) = [e.message for e in events if isinstance(e, Notice)]
    assert "shows one of 2 frames: all 4 would be too large" in notice
    assert events[-1] == Progress(2, 2, "frames", "Making the film")
    with Image.open(tmp_path / "film.gif") as film:
        assert film.n_frames == 2
        assert film.info["duration"] == 200


# imageio-ffmpeg leaves the pipes of its processes to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_films_as_mp4(tmp_path):
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    scan, mask = sweep(metadata={"frame_time_ms": 40.0})
    path = tmp_path / "film.mp4"

    drain(write_film(scan, mask, path))

    frames = ffmpeg.read_frames(path)
    stated = next(frames)
    assert stated["size"] == (120, 80)
    assert stated["fps"] == pytest.approx(25)
    pictures = [np.frombuffer(f, np.uint8).reshape(80, 120, 3) for f in frames]
    assert len(pictures) == 4
    for number, picture in enumerate(pictures):
        assert abs(int(picture[2, 2, 0]) - (number * 40 + 20)) < 12
    assert b"ZQPATIENT" not in path.read_bytes()


def test_without_ffmpeg_mp4_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    scan, mask = sweep()

    with pytest.raises(OutputError, match=r"needs imageio-ffmpeg, .*\.gif"):
        drain(write_film(scan, mask, tmp_path / "film.mp4"))
    assert not list(tmp_path.iterdir())


def test_a_film_that_is_stopped_leaves_nothing(tmp_path):
    scan, mask = sweep()
    work = write_film(scan, mask, tmp_path / "films" / "film.gif")
    next(work)
    work.close()

    assert not list(tmp_path.iterdir())


def test_overlays_are_one_picture_a_frame(tmp_path):
    scan, mask = sweep()
    folder = tmp_path / "overlays"
    events = []

    paths = drain(write_overlays(scan, mask, folder, frames=[3, 1]), events.append)

    assert [p.name for p in paths] == ["frame_0003.png", "frame_0001.png"]
    assert events[-1] == Progress(2, 2, "pictures", "Drawing the frames")
    with Image.open(paths[1]) as picture:
        outlined = int(near(picture, CAPSULE).sum())
        assert "ZQPATIENT" not in str(picture.info)
        assert set(picture.info) <= {"Software", "dpi"}
    with Image.open(paths[0]) as picture:
        legend = int(near(picture, CAPSULE).sum())
    assert outlined > legend + 500
    assert sorted(p.name for p in folder.iterdir()) == sorted(p.name for p in paths)


def test_nothing_is_overwritten(tmp_path):
    scan, mask = sweep()
    (tmp_path / "frame_0002.png").write_bytes(b"mine")
    (tmp_path / "film.gif").write_bytes(b"mine")

    with pytest.raises(OutputError, match="already exists"):
        drain(write_overlays(scan, mask, tmp_path))
    with pytest.raises(OutputError, match="already exists"):
        drain(write_film(scan, mask, tmp_path / "film.gif"))
    assert {p.read_bytes() for p in tmp_path.iterdir()} == {b"mine"}
    drain(write_film(scan, mask, tmp_path / "film.gif", overwrite=True))
    assert (tmp_path / "film.gif").read_bytes()[:6] == b"GIF89a"


def test_bad_input_is_one_sentence(tmp_path):
    scan, mask = sweep()
    other = Volume(mask.array[:2], mask.affine)
    for work, words in (
        (write_overlays(scan, other, tmp_path), "share a grid; got"),
        (write_overlays(scan, mask, tmp_path, frames=[4]), "from 0 to 3; got 4"),
        (write_film(scan, other, tmp_path / "a.gif"), "share a grid; got"),
        (write_film(scan, mask, tmp_path / "a.gif", width_px=4), "wide; got 4"),
        (write_film(scan, mask, tmp_path / "a.gif", frame_ms=0), "ms; got 0"),
    ):
        with pytest.raises(InputError, match=words):
            drain(work)
    with pytest.raises(OutputError, match=r"\.gif, \.mp4; got a\.avi"):
        drain(write_film(scan, mask, tmp_path / "a.avi"))
    assert not list(tmp_path.iterdir())
