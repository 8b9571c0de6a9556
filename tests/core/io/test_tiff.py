import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_microus.core.errors import InputError
from napari_microus.core.io import read_volume
from napari_microus.core.io.tiff import NO_FRAME_DISTANCE


@pytest.fixture
def stack() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 65535, (6, 40, 50)).astype(np.uint16)


def gray(path, array, **options):
    tifffile.imwrite(path, array, photometric="minisblack", **options)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
def test_stack_keeps_its_type_and_has_no_geometry(tmp_path, stack, dtype):
    gray(tmp_path / "a.tif", stack.astype(dtype))

    volume = read_volume(tmp_path / "a.tif")

    np.testing.assert_array_equal(volume.array, stack.astype(dtype))
    assert volume.array.dtype == dtype
    assert not volume.has_geometry


@pytest.mark.parametrize(
    ("unit", "factor"), [("mm", 1), ("micron", 1e-3), ("um", 1e-3), ("cm", 10)]
)
def test_imagej_states_its_spacing(tmp_path, stack, unit, factor):
    tifffile.imwrite(
        tmp_path / "a.tif",
        stack,
        imagej=True,
        resolution=(1 / 0.05, 1 / 0.1),  # pixels per unit along x and y
        metadata={"spacing": 0.5, "unit": unit, "axes": "ZYX"},
    )

    volume = read_volume(tmp_path / "a.tif")

    assert volume.has_geometry
    assert volume.spacing_mm == pytest.approx(
        (0.5 * factor, 0.1 * factor, 0.05 * factor)
    )
    # The size itself is doubted: 50 nm is no pixel of a scan.
    assert not any("unit" in said for said in volume.metadata["notices"])


def test_micro_sign_of_imagej_is_known(tmp_path, stack):
    tifffile.imwrite(
        tmp_path / "a.tif",
        stack,
        imagej=True,
        resolution=(0.02, 0.02),
        metadata={"spacing": 500, "unit": "\\u00B5m", "axes": "ZYX"},
    )

    volume = read_volume(tmp_path / "a.tif")

    assert volume.spacing_mm == pytest.approx((0.5, 0.05, 0.05), rel=1e-6)


def test_imagej_in_pixels_has_no_geometry(tmp_path, stack):
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, metadata={"axes": "ZYX"})

    assert not read_volume(tmp_path / "a.tif").has_geometry


def test_ome_states_its_spacing(tmp_path, stack):
    gray(
        tmp_path / "a.ome.tif",
        stack,
        metadata={
            "axes": "ZYX",
            **{"PhysicalSizeX": 50, "PhysicalSizeY": 100, "PhysicalSizeZ": 0.5},
            "PhysicalSizeZUnit": "mm",
        },
    )

    volume = read_volume(tmp_path / "a.ome.tif")

    np.testing.assert_array_equal(volume.array, stack)
    assert volume.spacing_mm == pytest.approx((0.5, 0.1, 0.05))


def test_resolution_per_centimetre_is_a_pixel_size_but_no_frame_distance(
    tmp_path, stack
):
    gray(tmp_path / "a.tif", stack, resolution=(200, 100), resolutionunit="CENTIMETER")

    volume = read_volume(tmp_path / "a.tif")

    assert volume.has_geometry
    assert volume.spacing_mm == pytest.approx((1, 0.1, 0.05))
    assert volume.metadata["notices"] == [NO_FRAME_DISTANCE]


def test_printing_resolution_is_no_pixel_size(tmp_path, stack):
    gray(tmp_path / "a.tif", stack[0], resolution=(300, 300), resolutionunit="INCH")

    assert not read_volume(tmp_path / "a.tif").has_geometry


@pytest.mark.parametrize("compression", ["tiff_lzw", "jpeg", "tiff_deflate"])
def test_compressions_of_clinical_exports_are_read(tmp_path, stack, compression):
    frames = [Image.fromarray((frame // 256).astype(np.uint8)) for frame in stack]
    frames[0].save(
        tmp_path / "a.tif",
        save_all=True,
        append_images=frames[1:],
        compression=compression,
    )

    array = read_volume(tmp_path / "a.tif").array

    expected = (stack // 256).astype(np.uint8)
    if compression == "jpeg":  # lossy; noise is the worst that can happen to it
        assert np.abs(array.astype(int) - expected).mean() < 30
        assert array.shape == expected.shape
    else:
        np.testing.assert_array_equal(array, expected)


def test_colour_frames_become_grey(tmp_path):
    pixels = np.zeros((3, 10, 12, 3), np.uint8)
    pixels[..., 0] = 100
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb")

    volume = read_volume(tmp_path / "a.tif")

    assert volume.shape == (3, 10, 12)
    assert volume.array.max() == 30
    assert "greyscale" in volume.metadata["notices"][0]


@pytest.mark.parametrize("frames", [3, 4])
def test_stack_written_as_colour_planes_comes_back_as_frames(tmp_path, stack, frames):
    pixels = (stack[:frames] // 256).astype(np.uint8)
    tifffile.imwrite(
        tmp_path / "a.tif", pixels, photometric="rgb", planarconfig="separate"
    )

    volume = read_volume(tmp_path / "a.tif")

    np.testing.assert_array_equal(volume.array, pixels)
    assert volume.metadata["notices"] == [
        "The file's colour planes were read as frames."
    ]


def test_palette_is_applied(tmp_path):
    ramp = np.arange(256, dtype=np.uint16) * 257
    colormap = np.stack([ramp[::-1]] * 3)
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.array([[0, 10]], np.uint8),
        photometric="palette",
        colormap=colormap,
    )

    assert read_volume(tmp_path / "a.tif").array.ravel().tolist() == [255, 245]


def test_white_zero_is_turned(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.tif", np.array([[0, 10]], np.uint8), photometric="miniswhite"
    )

    assert read_volume(tmp_path / "a.tif").array.ravel().tolist() == [255, 245]


def test_several_stacks_are_refused(tmp_path, stack):
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.stack([stack, stack]),
        imagej=True,
        metadata={"axes": "TZYX"},
    )

    with pytest.raises(InputError, match="A TIFF must hold one stack of frames"):
        read_volume(tmp_path / "a.tif")


@pytest.mark.parametrize("kind", ["plain", "imagej", "zlib", "lzw"])
@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.9])
def test_truncated_stack_is_refused_not_shortened(tmp_path, stack, kind, share):
    whole = tmp_path / "whole.tif"
    if kind == "imagej":
        tifffile.imwrite(whole, stack, imagej=True, metadata={"axes": "ZYX"})
    elif kind == "lzw":
        frames = [Image.fromarray((frame // 256).astype(np.uint8)) for frame in stack]
        frames[0].save(
            whole, save_all=True, append_images=frames[1:], compression="tiff_lzw"
        )
    else:
        gray(whole, stack, compression="zlib" if kind == "zlib" else None)
    content = whole.read_bytes()
    (tmp_path / "cut.tif").write_bytes(content[: int(len(content) * share)])

    with pytest.raises(InputError, match="A TIFF file must be complete"):
        read_volume(tmp_path / "cut.tif")


def test_foreign_file_is_refused(tmp_path):
    (tmp_path / "a.tif").write_text("not a picture at all")

    with pytest.raises(InputError, match="A TIFF file must be complete"):
        read_volume(tmp_path / "a.tif")


def test_nan_is_kept(tmp_path):
    gray(tmp_path / "a.tif", np.full((2, 3, 4), np.nan, np.float32))

    assert np.isnan(read_volume(tmp_path / "a.tif").array).all()


@pytest.mark.parametrize("kind", ["plain", "zlib", "ome"])
def test_changed_bytes_are_read_or_refused_but_never_a_crash(tmp_path, stack, kind):
    options = {"compression": "zlib"} if kind == "zlib" else {}
    path = tmp_path / ("a.ome.tif" if kind == "ome" else "a.tif")
    gray(path, stack[:2, :9, :8], **options)
    content = np.frombuffer(path.read_bytes(), np.uint8)
    rng = np.random.default_rng(3)
    refused = 0
    for _ in range(60):
        changed = content.copy()
        changed[rng.integers(0, 300, 4)] = rng.integers(0, 256, 4)
        path.write_bytes(changed.tobytes())
        try:
            read_volume(path)
        except InputError:
            refused += 1

    assert refused > 5


@pytest.mark.parametrize("mode", ["CMYK", "LAB", "YCbCr"])
def test_colours_that_are_neither_grey_nor_rgb_are_refused(tmp_path, mode):
    """Their four or three values a pixel were read as red, green and blue."""
    shape = (9, 12, 4 if mode == "CMYK" else 3)
    stored = np.random.default_rng(1).integers(0, 255, shape, np.uint8)
    Image.frombytes(mode, (12, 9), stored.tobytes()).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match="grey values, a palette, or red, green and"):
        read_volume(tmp_path / "a.tif")
    for whole in (tmp_path, tmp_path / "a.tif"):
        with pytest.raises(InputError, match=r"Save it as grey or RGB\."):
            read_volume(whole)
