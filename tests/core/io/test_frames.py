from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_microus.core.errors import InputError
from napari_microus.core.io import read_volume
from napari_microus.core.io.frames import natural_key

REAL = Path(__file__).parents[4] / "shared" / "data" / "micro_us_frames"


@pytest.fixture
def grey() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (6, 8)).astype(np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".PNG", ".tif", ".tiff"])
def test_grey_picture_is_one_frame_without_geometry(tmp_path, grey, suffix):
    Image.fromarray(grey).save(tmp_path / f"a{suffix}")

    volume = read_volume(tmp_path / f"a{suffix}")

    np.testing.assert_array_equal(volume.array, grey[np.newaxis])
    assert volume.array.dtype == np.uint8
    assert not volume.has_geometry
    assert volume.spacing_mm == (1, 1, 1)
    assert volume.metadata == {"notices": [], "source": str(tmp_path / f"a{suffix}")}


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg"])
def test_jpeg_is_read_as_pillow_reads_it(tmp_path, grey, suffix):
    Image.fromarray(grey).save(tmp_path / f"a{suffix}")

    expected = np.asarray(Image.open(tmp_path / f"a{suffix}"))
    np.testing.assert_array_equal(
        read_volume(tmp_path / f"a{suffix}").array[0], expected
    )


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P"])
def test_equal_channels_become_grey_silently(tmp_path, grey, mode):
    picture = Image.fromarray(grey).convert(mode)
    picture.save(tmp_path / "a.png")

    volume = read_volume(tmp_path / "a.png")

    np.testing.assert_array_equal(volume.array[0], grey)
    assert volume.metadata["notices"] == []


def test_true_colour_is_converted_by_luminance_with_a_notice(tmp_path):
    pixels = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [10, 20, 30]]], np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")

    volume = read_volume(tmp_path / "a.png")

    # 0.299 R + 0.587 G + 0.114 B; the last is 2.99 + 11.74 + 3.42 = 18.15
    assert volume.array.ravel().tolist() == [76, 150, 29, 18]
    np.testing.assert_array_equal(
        volume.array[0], np.asarray(Image.fromarray(pixels).convert("L"))
    )
    assert volume.metadata["notices"] == ["Colour image converted to greyscale."]


def test_alpha_is_dropped(tmp_path, grey):
    alpha = np.zeros_like(grey)
    Image.fromarray(np.stack([grey, grey, grey, alpha], -1)).save(tmp_path / "a.png")

    np.testing.assert_array_equal(read_volume(tmp_path / "a.png").array[0], grey)


def test_coloured_palette_is_converted_like_its_colours(tmp_path):
    picture = Image.fromarray(np.array([[0, 1]], np.uint8)).convert("P")
    picture.putpalette([200, 0, 0, 0, 100, 0])
    picture.save(tmp_path / "a.png")

    volume = read_volume(tmp_path / "a.png")

    assert volume.array.ravel().tolist() == [60, 59]  # 0.299 * 200 and 0.587 * 100
    assert "greyscale" in volume.metadata["notices"][0]


def test_sixteen_bits_are_kept(tmp_path):
    deep = np.array([[0, 1, 300, 65535]], np.uint16)
    Image.fromarray(deep).save(tmp_path / "a.png")

    volume = read_volume(tmp_path / "a.png")

    assert volume.array.dtype == np.uint16
    np.testing.assert_array_equal(volume.array[0], deep)


def test_one_bit_picture_is_boolean(tmp_path):
    bits = np.array([[True, False], [False, True]])
    Image.fromarray(bits).save(tmp_path / "a.png")

    np.testing.assert_array_equal(read_volume(tmp_path / "a.png").array[0], bits)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
@pytest.mark.parametrize("share", [0.1, 0.7])
def test_truncated_picture_is_refused(tmp_path, suffix, share):
    noise = np.random.default_rng(1).integers(0, 255, (90, 80)).astype(np.uint8)
    Image.fromarray(noise).save(tmp_path / f"whole{suffix}")
    content = (tmp_path / f"whole{suffix}").read_bytes()
    (tmp_path / f"cut{suffix}").write_bytes(content[: int(len(content) * share)])

    with pytest.raises(InputError, match="complete and of that format"):
        read_volume(tmp_path / f"cut{suffix}")


def test_foreign_picture_is_refused(tmp_path):
    (tmp_path / "a.png").write_text("not a picture")

    with pytest.raises(InputError, match=r"A PNG file must be complete"):
        read_volume(tmp_path / "a.png")


def test_natural_order_counts_as_people_do():
    names = ["frame10.png", "Frame2.png", "frame1.png", "frame2b.png", "frame²0.png"]

    ordered = sorted(map(Path, names), key=natural_key)

    assert [path.name for path in ordered] == [
        *("frame1.png", "Frame2.png", "frame2b.png", "frame10.png", "frame²0.png")
    ]


def test_folder_is_read_in_natural_order_without_hidden_files(tmp_path, grey):
    for number in (1, 2, 10):
        Image.fromarray(grey + np.uint8(number)).save(tmp_path / f"frame{number}.png")
    (tmp_path / ".frame3.png").write_text("hidden")
    (tmp_path / "._frame1.png").write_text("what macOS leaves behind")
    (tmp_path / "Thumbs.db").write_text("what Windows leaves behind")
    (tmp_path / "notes.txt").write_text("of others")

    volume = read_volume(tmp_path)

    expected = np.stack([grey + np.uint8(number) for number in (1, 2, 10)])
    np.testing.assert_array_equal(volume.array, expected)
    assert volume.metadata["source"] == str(tmp_path)


def test_formats_may_be_mixed_in_a_folder(tmp_path, grey):
    Image.fromarray(grey).save(tmp_path / "1.png")
    Image.fromarray(grey).convert("RGB").save(tmp_path / "2.bmp")
    Image.fromarray(grey).save(tmp_path / "3.tif")

    np.testing.assert_array_equal(read_volume(tmp_path).array, np.stack([grey] * 3))


def test_notice_of_many_colour_frames_is_given_once(tmp_path):
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[..., 0] = 9
    for number in range(3):
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")

    assert len(read_volume(tmp_path).metadata["notices"]) == 1


def test_frames_of_two_sizes_are_refused(tmp_path, grey):
    Image.fromarray(grey).save(tmp_path / "1.png")
    Image.fromarray(grey[:3]).save(tmp_path / "2.png")

    with pytest.raises(
        InputError, match=r"one size; got \(6, 8\) in 1.png and \(3, 8\) in 2.png"
    ):
        read_volume(tmp_path)


def test_stack_in_a_folder_of_frames_is_refused(tmp_path, grey):
    frames = [Image.fromarray(grey)] * 2
    frames[0].save(tmp_path / "1.tif", save_all=True, append_images=frames[1:])

    with pytest.raises(InputError, match=r"hold one frame; got 2 in 1.tif"):
        read_volume(tmp_path)


def test_broken_frame_of_a_folder_is_named(tmp_path, grey):
    Image.fromarray(grey).save(tmp_path / "1.png")
    (tmp_path / "2.png").touch()

    with pytest.raises(InputError, match=r"2.png, which is empty"):
        read_volume(tmp_path)


@pytest.mark.parametrize("other", [None, "notes.txt", "scan.nii.gz"])
def test_folder_of_no_frames_is_refused(tmp_path, other):
    if other:
        (tmp_path / other).write_text("x")

    with pytest.raises(InputError, match=r"A folder must hold frames .* got none"):
        read_volume(tmp_path)


def test_unreadable_folder_is_refused(tmp_path, monkeypatch):
    def refuse(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)

    with pytest.raises(InputError, match=r"must be readable; .*Permission denied"):
        read_volume(tmp_path)


def test_real_frames_are_read_as_one_scan():
    if not REAL.is_dir():
        pytest.skip("the real micro-ultrasound frames are not beside the project")
    paths = sorted((REAL / "images").glob("patient01_frame*.png"))

    volume = read_volume(paths)

    assert volume.shape == (len(paths), 259, 369)
    assert volume.array.dtype == np.uint8
    assert volume.metadata["notices"] == []
    np.testing.assert_array_equal(volume.array[3], np.asarray(Image.open(paths[3])))


def test_colours_of_print_are_converted_as_pillow_does(tmp_path):
    colours = np.random.default_rng(1).integers(0, 255, (9, 12, 4), np.uint8)
    Image.frombytes("CMYK", (12, 9), colours.tobytes()).save(tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as picture:
        assert picture.mode == "CMYK"
        picture.convert("RGB").save(tmp_path / "b.png")
    ours, plain = (read_volume(tmp_path / name).array for name in ("a.jpg", "b.png"))
    np.testing.assert_array_equal(ours, plain)
