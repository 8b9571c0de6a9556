"""DICOM as machines write it."""

import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from dicom_files import dataset, region, save
from napari_microus.core.errors import InputError
from napari_microus.core.io import (
    dicom,
    dicom_jpeg,
    read_mask,
    read_volume,
    write_mask,
)
from napari_microus.core.io.dicom import dicom_frames, read_dicom
from napari_microus.core.io.dicom_header import read_header
from napari_microus.core.io.dicom_pixels import mapped_frames
from napari_microus.core.io.dicom_regions import _region

RNG = np.random.default_rng(5)
FRAMES = RNG.integers(0, 255, (4, 20, 30), np.uint8)
LARGER = RNG.integers(0, 255, (3, 64, 80), np.uint8)


def example(name):
    """A file of pydicom's own package; nothing is fetched."""
    found = get_testdata_file(name, download=False)
    if found is None:
        pytest.skip(f"{name} is not in the wheel")
    return found


@pytest.mark.parametrize(
    "syntax",
    [
        ImplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
        RLELossless,
        JPEGLSLossless,
        JPEG2000Lossless,
    ],
    ids=lambda uid: uid.keyword,
)
def test_lossless_transfer_syntaxes_give_the_pixels_back(tmp_path, syntax):
    ds = dataset(LARGER)
    if syntax.is_compressed and syntax != DeflatedExplicitVRLittleEndian:
        ds.compress(syntax, generate_instance_uid=False)
    else:
        ds.file_meta.TransferSyntaxUID = syntax
        if syntax == ExplicitVRBigEndian:
            ds["PixelData"].VR = "OB"
    path = save(ds, tmp_path / "a.dcm")

    np.testing.assert_array_equal(read_volume(path).array, LARGER)


def test_sixteen_bits_big_endian_keep_their_values(tmp_path):
    frames = RNG.integers(0, 65535, (2, 5, 6), np.uint16)
    ds = dataset(frames)
    ds.PixelData = frames.astype(">u2").tobytes()
    ds["PixelData"].VR = "OW"
    ds.file_meta.TransferSyntaxUID = ExplicitVRBigEndian

    array = read_volume(save(ds, tmp_path / "a.dcm")).array

    np.testing.assert_array_equal(array, frames)


@pytest.mark.parametrize(
    ("name", "shape", "is_lossy"),
    [
        ("ExplVR_BigEnd.dcm", (60, 80), False),
        ("SC_rgb_jpeg_dcmtk.dcm", (100, 100), True),
        ("SC_rgb_dcmtk_+eb+cy+s2.dcm", (100, 100), True),  # YBR_FULL_422, JPEG
        ("SC_ybr_full_422_uncompressed.dcm", (100, 100), True),
        ("SC_rgb_rle_2frame.dcm", (100, 100), False),
        ("SC_rgb_jls_lossy_line.dcm", (100, 100), True),
        ("SC_rgb_gdcm_KY.dcm", (100, 100), True),  # JPEG 2000
        ("examples_jpeg2k.dcm", (480, 640), False),
        ("image_dfl.dcm", (512, 512), False),
    ],
)
def test_pydicoms_examples_are_read_as_grey(name, shape, is_lossy):
    path = example(name)
    volume = read_volume(path)

    assert volume.shape[1:] == shape
    pixels = pydicom.dcmread(path).pixel_array
    pixels = pixels.reshape(*volume.shape, -1)
    grey = pixels @ [0.299, 0.587, 0.114] if pixels.shape[-1] == 3 else pixels[..., 0]
    assert np.abs(grey - volume.array).max() <= (2 if is_lossy else 0.51)


def test_lossless_jpeg_gives_the_pixels_back():
    # Both files hold one picture.
    one = read_volume(example("SC_rgb_jpeg_gdcm.dcm"))
    other = read_volume(example("SC_rgb_rle.dcm"))

    np.testing.assert_array_equal(one.array, other.array)


@pytest.fixture
def lossless_jpeg(tmp_path):
    """Frames that ITK packed as lossless JPEG."""
    import SimpleITK as sitk

    writer = sitk.ImageFileWriter()
    writer.SetFileName(str(tmp_path / "lossless.dcm"))
    writer.UseCompressionOn()
    writer.SetCompressor("JPEG")
    image = sitk.GetImageFromArray(LARGER)
    image.SetMetaData("0008|0060", "US")
    image.SetMetaData("0008|0016", "1.2.840.10008.5.1.4.1.1.3.1")
    writer.Execute(image)
    return tmp_path / "lossless.dcm"


def test_frames_of_lossless_jpeg_give_the_pixels_back(lossless_jpeg):
    syntax = pydicom.dcmread(lossless_jpeg).file_meta.TransferSyntaxUID
    assert syntax == "1.2.840.10008.1.2.4.70"

    np.testing.assert_array_equal(read_volume(lossless_jpeg).array, LARGER)


def test_damaged_lossless_jpeg_is_an_error_and_no_end_of_the_process(lossless_jpeg):
    content = lossless_jpeg.read_bytes()
    sof = content.index(b"\xff\xc3") + 5  # rows and columns of the first frame
    for wrong in (
        content[:sof] + b"\x00\x20" + content[sof + 2 :],  # half the rows
        content[: content.rindex(b"\xff\xd9")] + content[-8:],  # no end
        content[: len(content) // 2],
    ):
        lossless_jpeg.write_bytes(wrong)
        with pytest.raises(InputError, match="damaged, cut short"):
            read_volume(lossless_jpeg)


@pytest.mark.parametrize(
    ("marker", "at", "value"),
    [
        (b"\xff\xc3", 4, 12),  # bits of a sample
        (b"\xff\xc3", 9, 2),  # samples
        (b"\xff\xc3", 11, 0x22),  # a component of another size
        (b"\xff\xc4", 4, 9),  # number of a table
        (b"\xff\xc4", 5, 9),  # more codes of one bit than there are
        (b"\xff\xda", 5, 77),  # a component that is not there
        (b"\xff\xda", 6, 0x30),  # a table that is not there
        (b"\xff\xda", 7, 0),  # no predictor
        (b"\xff\xda", 3, 200),  # a longer scan header
    ],
)
def test_what_steers_lossless_decoding_is_checked(lossless_jpeg, marker, at, value):
    header = read_header(lossless_jpeg)
    stream = next(dicom_jpeg.raw_frames(lossless_jpeg, header))
    assert dicom_jpeg._is_lossless(stream, header)

    place = stream.index(marker) + at
    broken = stream[:place] + bytes([value]) + stream[place + 1 :]

    assert not dicom_jpeg._is_lossless(broken, header)


def test_the_decoder_never_sees_a_lossless_stream_without_its_table(
    lossless_jpeg, monkeypatch
):
    content = lossless_jpeg.read_bytes()
    place = content.index(b"\xff\xda") + 6
    lossless_jpeg.write_bytes(content[:place] + b"\x30" + content[place + 1 :])
    monkeypatch.setattr(dicom_jpeg, "_write_alone", lambda *_: pytest.fail("decoded"))

    with pytest.raises(InputError, match="damaged, cut short"):
        read_volume(lossless_jpeg)


def test_a_damaged_palette_is_an_error(tmp_path):
    ds = dataset(FRAMES, PhotometricInterpretation="PALETTE COLOR")

    with pytest.raises(InputError, match="damaged, cut short"):
        read_volume(save(ds, tmp_path / "a.dcm"))


def test_a_palette_is_looked_up_and_a_mask_keeps_its_indices():
    path = example("examples_palette.dcm")
    ds = pydicom.dcmread(path)
    shown = pydicom.pixels.apply_color_lut(ds.pixel_array, ds) >> 8

    volume = read_volume(path)
    stored = read_dicom(path, as_stored=True)

    grey = np.rint(shown @ np.array([0.299, 0.587, 0.114]))
    is_grey = (shown[..., :1] == shown).all(axis=-1)
    assert np.array_equal(volume.array[0][is_grey], shown[..., 0][is_grey])
    assert np.abs(volume.array[0] - grey).max() <= 1
    np.testing.assert_array_equal(stored.array[0], ds.pixel_array)


@pytest.mark.parametrize(
    ("name", "pixel_mm", "frames"),
    [("examples_ybr_color.dcm", 0.5105, 30), ("examples_palette.dcm", 0.2623, 1)],
)
def test_examples_state_their_calibration_and_that_it_does_not_fit(
    name, pixel_mm, frames
):
    volume = read_volume(example(name))

    assert volume.spacing_mm[1:] == pytest.approx((pixel_mm, pixel_mm), abs=1e-4)
    assert len(volume.array) == frames
    assert volume.has_geometry
    assert not (volume.knows_frame_distance and frames > 1)
    assert volume.metadata["pixel_size_from"] == "the ultrasound region"
    # pydicom's authors made the pictures smaller and left the regions as they were.
    assert any("reaches beyond its picture" in n for n in volume.metadata["notices"])
    if frames > 1:
        assert volume.metadata["frame_time_ms"] == pytest.approx(33.333)


def test_tissue_is_cut_out_and_keeps_its_place(tmp_path):
    beside = region((0, 4), (0, 29), layout=3, content=3, units=4)
    tissue = region((5, 17), (3, 24))
    ds = dataset(FRAMES, regions=[beside, tissue], CineRate=25, FrameTime=40.0)
    path = save(ds, tmp_path / "a.dcm")

    cut = read_volume(path)
    whole = read_volume(path, region="whole")
    masked = read_volume(path, region="mask")

    np.testing.assert_array_equal(cut.array, FRAMES[:, 5:18, 3:25])
    np.testing.assert_array_equal(whole.array, FRAMES)
    np.testing.assert_array_equal(masked.array[:, 5:18, 3:25], cut.array)
    assert masked.array.sum() == cut.array.sum(dtype=int)
    assert cut.spacing_mm[1:] == pytest.approx((0.05, 0.04))
    # The pixel in the corner of the cut lies where it lay in the whole.
    corner = whole.affine @ [3, 5, 2, 1]
    np.testing.assert_allclose(cut.affine @ [0, 0, 2, 1], corner)
    np.testing.assert_allclose(masked.affine, whole.affine)
    assert cut.metadata["region"]["rows"] == [5, 18]
    assert cut.metadata["region"]["scaling_protected"] is True
    assert cut.metadata["frame_distance"] == "unknown"
    assert cut.metadata["cine_rate_fps"] == 25
    assert cut.metadata["frame_time_ms"] == 40
    assert any("PW spectral Doppler" in n for n in cut.metadata["notices"])


def test_a_mask_drawn_over_the_cut_lies_over_it_again(tmp_path):
    ds = dataset(FRAMES, regions=[region((5, 17), (3, 24))])
    scan = read_volume(save(ds, tmp_path / "a.dcm"))
    drawn = np.zeros(scan.shape, np.uint8)
    drawn[1:3, 2:9, 4:8] = 1
    for name in ("m.nii.gz", "m.seg.nrrd", "m.mha"):
        write_mask(scan.like(drawn), tmp_path / name)

        read = read_mask(tmp_path / name, grid=scan)

        np.testing.assert_array_equal(read.array, drawn)
        assert not read.knows_frame_distance


def test_two_regions_of_tissue_are_both_read_until_one_is_chosen(tmp_path):
    regions = [region((0, 19), (0, 13)), region((0, 19), (16, 29))]
    path = save(dataset(FRAMES, regions=regions), tmp_path / "a.dcm")

    both, right = read_volume(path), read_volume(path, region=1)

    assert both.shape == FRAMES.shape
    assert both.spacing_mm[1:] == pytest.approx((0.05, 0.04))
    np.testing.assert_array_equal(right.array, FRAMES[:, :, 16:])
    with pytest.raises(InputError, match="one of tissue, counted from 0; got 2 of 2"):
        read_volume(path, region=2)


def test_regions_of_two_scales_give_no_size(tmp_path):
    other = region((0, 19), (16, 29), cm=(0.01, 0.01))
    ds = dataset(FRAMES, regions=[region((0, 19), (0, 13)), other])
    volume = read_volume(save(ds, tmp_path / "a.dcm"))

    assert not volume.has_geometry
    assert any("different pixel sizes" in n for n in volume.metadata["notices"])


@pytest.mark.parametrize(
    ("layout", "content", "words"),
    [
        (2, 1, "M-mode"),
        (3, 3, "PW spectral Doppler"),
        (3, 4, "CW spectral Doppler"),
        (1, 2, "colour flow"),
    ],
)
def test_pictures_without_tissue_are_refused_by_name(tmp_path, layout, content, words):
    item = region((0, 19), (0, 29), layout=layout, content=content, units=4)
    path = save(dataset(FRAMES, regions=[item]), tmp_path / "a.dcm")

    with pytest.raises(InputError, match=f"tissue in two dimensions; got {words}"):
        read_volume(path)
    assert read_volume(path, region="whole").shape == FRAMES.shape


def test_units_that_are_no_length_are_named(tmp_path):
    item = region((0, 19), (0, 29), units=4)
    volume = read_volume(save(dataset(FRAMES, regions=[item]), tmp_path / "a.dcm"))

    assert not volume.has_geometry
    assert any("pixel size as seconds" in n for n in volume.metadata["notices"])


def test_negative_steps_are_directions(tmp_path):
    item = region((0, 19), (0, 29), cm=(-0.005, 0.004))
    volume = read_volume(save(dataset(FRAMES, regions=[item]), tmp_path / "a.dcm"))

    assert volume.spacing_mm[1:] == pytest.approx((0.05, 0.04))


@pytest.mark.parametrize(
    "keyword", ["PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"]
)
def test_without_regions_a_spacing_is_used_and_named(tmp_path, keyword):
    ds = dataset(FRAMES, **{keyword: [0.2, 0.1]})
    volume = read_volume(save(ds, tmp_path / "a.dcm"))

    assert volume.spacing_mm[1:] == pytest.approx((0.2, 0.1))
    assert volume.metadata["pixel_size_from"] == keyword
    assert any(keyword in n for n in volume.metadata["notices"])


def test_contradicting_sizes_are_reported(tmp_path):
    item = region((0, 19), (0, 29))
    ds = dataset(FRAMES, regions=[item], PixelSpacing=[0.2, 0.1])
    volume = read_volume(save(ds, tmp_path / "a.dcm"))

    assert volume.spacing_mm[1:] == pytest.approx((0.05, 0.04))
    assert any(
        "0.05 × 0.04 mm by the ultrasound region was taken, against PixelSpacing "
        "0.2 × 0.1 mm" in n
        for n in volume.metadata["notices"]
    )


@pytest.mark.parametrize("spacing", [[0, 0.1], [-0.1, 0.1], None])
def test_impossible_and_missing_spacing_gives_pixels_and_a_sentence(tmp_path, spacing):
    ds = dataset(FRAMES)
    if spacing is not None:
        ds.PixelSpacing = spacing
    volume = read_volume(save(ds, tmp_path / "a.dcm"))

    assert not volume.has_geometry
    stated = " ".join(volume.metadata["notices"])
    assert "states no pixel size" in stated
    assert ("instead of two lengths above 0" in stated) == (spacing is not None)


def test_patient_orientation_places_the_frames(tmp_path):
    ds = dataset(FRAMES[0], PixelSpacing=[0.2, 0.1])
    ds.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
    ds.ImagePositionPatient = [10, 20, 30]
    volume = read_volume(save(ds, tmp_path / "a.dcm"))

    # Columns run to the posterior (LPS y), which is -y in RAS; rows run down.
    np.testing.assert_allclose(volume.affine @ [0, 0, 0, 1], [-10, -20, 30, 1])
    np.testing.assert_allclose(volume.affine @ [1, 0, 0, 0], [0, -0.1, 0, 0])
    np.testing.assert_allclose(volume.affine @ [0, 1, 0, 0], [0, 0, -0.2, 0])
    assert volume.is_oriented


def test_white_as_zero_is_turned_in_scans_alone(tmp_path):
    ds = dataset(FRAMES, PhotometricInterpretation="MONOCHROME1")
    path = save(ds, tmp_path / "a.dcm")

    np.testing.assert_array_equal(read_volume(path).array, 255 - FRAMES)
    np.testing.assert_array_equal(read_dicom(path, as_stored=True).array, FRAMES)


@pytest.mark.parametrize(
    ("uid", "words"),
    [
        ("1.2.840.10008.5.1.4.1.1.88.33", "a structured report"),
        ("1.2.840.10008.5.1.4.1.1.481.5", "a radiotherapy plan"),
        ("1.2.840.10008.5.1.4.1.1.9.1.1", "an ECG"),
        ("1.2.840.10008.5.1.4.1.1.104.1", "a PDF document"),
        ("1.2.840.10008.5.1.4.1.1.11.1", "a presentation state"),
    ],
)
def test_what_is_no_image_is_named(tmp_path, uid, words):
    ds = dataset(FRAMES)
    ds.SOPClassUID = uid
    del ds.PixelData, ds.Rows, ds.Columns

    with pytest.raises(InputError, match=f"got {words}, no image, in a.dcm"):
        read_volume(save(ds, tmp_path / "a.dcm"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("test-SR.dcm", "a structured report"),
        ("rtplan.dcm", "a radiotherapy plan"),
        ("waveform_ecg.dcm", "an ECG"),
        ("rtdose.dcm", "a radiotherapy dose"),
    ],
)
def test_pydicoms_reports_and_plans_are_named(name, words):
    with pytest.raises(InputError, match=f"got {words}, no image"):
        read_volume(example(name))


@pytest.mark.parametrize("kept", [0.3, 0.9])
@pytest.mark.parametrize(
    "syntax", [None, RLELossless, JPEGLSLossless, JPEG2000Lossless]
)
def test_truncated_pixels_are_damage(tmp_path, kept, syntax):
    ds = dataset(LARGER)
    if syntax is not None:
        ds.compress(syntax, generate_instance_uid=False)
    path = save(ds, tmp_path / "a.dcm")
    content = path.read_bytes()
    head = content.index(b"\xe0\x7f\x10\x00")
    path.write_bytes(content[: head + int((len(content) - head) * kept)])

    with pytest.raises(InputError, match="damaged, cut short"):
        read_volume(path)


def test_a_truncated_jpeg_is_damage(tmp_path):
    content = Path(example("examples_ybr_color.dcm")).read_bytes()
    path = tmp_path / "a.dcm"
    path.write_bytes(content[: len(content) * 2 // 3])

    with pytest.raises(InputError, match="damaged, cut short"):
        read_volume(path)


@pytest.mark.parametrize(
    "content",
    [
        b"DICM",
        b"\x02\0\0\0UL\x04\0\xc0\0\0\0\x02\0\x01\0OB\0\0\xff\xff\0\0",
        b"\x02\0\0\0UL\x03\0\xc0\0\0\0",
        b"\x02\0\x10\0UI\x12\0" + b"1.2.840.10008.1.2\0" + b"\xff" * 40,
    ],
)
def test_a_header_of_nonsense_is_damage(tmp_path, content):
    path = tmp_path / "a.dcm"
    path.write_bytes(b"\0" * 128 + b"DICM" + content)

    with pytest.raises(InputError, match="damaged, cut short"):
        read_volume(path)


def test_fewer_frames_than_stated_are_damage(tmp_path):
    ds = dataset(FRAMES)
    ds.compress(RLELossless, generate_instance_uid=False)
    ds.NumberOfFrames = 9

    with pytest.raises(InputError, match="damaged, cut short"):
        read_volume(save(ds, tmp_path / "a.dcm"))


def test_a_private_transfer_syntax_is_named(tmp_path):
    path = save(dataset(FRAMES), tmp_path / "a.dcm")
    content = path.read_bytes()
    private = b"1.2.840.999.1.2.1.0"
    content = content.replace(b"1.2.840.10008.1.2.1", private)
    path.write_bytes(content)

    with pytest.raises(InputError, match="public transfer syntax; got a private one"):
        read_volume(path)


def test_a_film_and_twelve_bit_jpeg_are_named(tmp_path):
    ds = dataset(FRAMES)
    ds.compress(RLELossless, generate_instance_uid=False)
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.102"
    path = save(ds, tmp_path / "a.dcm")

    with pytest.raises(InputError, match="transfer syntax of pictures; got MPEG-4"):
        read_volume(path)
    with pytest.raises(InputError, match="decoder here; got JPEG Extended"):
        read_volume(example("JPGExtended.dcm"))


def test_a_missing_decoder_is_named_with_its_package(tmp_path, monkeypatch):
    ds = dataset(FRAMES)
    ds.compress(JPEGLSLossless, generate_instance_uid=False)
    path = save(ds, tmp_path / "a.dcm")
    from pydicom.pixels import decoders

    monkeypatch.setattr(decoders.JPEGLSLosslessDecoder, "_available", {})

    with pytest.raises(InputError, match=r"JPEG-LS Lossless .*pip install pyjpegls"):
        read_volume(path)


def test_no_word_of_pydicom_reaches_the_user(tmp_path):
    ds = dataset(FRAMES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds.add_new("PatientBirthDate", "DA", "19XX-Jane")
        ds.InstanceNumber = 12345678
        path = save(ds, tmp_path / "a.dcm")
    path.write_bytes(path.read_bytes().replace(b"12345678", b"Jane Doe"))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_volume(path)


def large(path, frames, rows, columns, samples=1):
    """A file whose pixels are a hole of the disk."""
    ds = dataset(np.zeros((2, 2, 2), np.uint8), regions=[region((10, 99), (20, 99))])
    ds.Rows, ds.Columns, ds.NumberOfFrames = rows, columns, frames
    if samples == 3:
        ds.SamplesPerPixel, ds.PlanarConfiguration = 3, 0
        ds.PhotometricInterpretation = "RGB"
    save(ds, path)
    size = frames * rows * columns * samples
    content = bytearray(path.read_bytes()[:-8])
    content[-4:] = size.to_bytes(4, "little")
    path.write_bytes(content)
    with path.open("r+b") as file:
        file.truncate(len(content) + size)
        file.seek(
            len(content) + (rows * columns * (frames - 1) + 50 * columns + 60) * samples
        )
        file.write(b"\x07" * samples)
    return path


def test_four_gigabytes_of_frames_are_read_in_little_memory(tmp_path):
    import resource
    import sys

    path = large(tmp_path / "a.dcm", 4000, 1024, 1024)
    assert path.stat().st_size > 4e9
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    volume = read_volume(path)
    whole = read_volume(path, region="whole")

    assert volume.shape == (4000, 90, 80)
    assert volume.array[-1, 40, 40] == 7
    assert whole.array[-1, 50, 60] == 7
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert used * (1 if sys.platform == "darwin" else 1024) < 200e6
    frame = next(dicom_frames(path))
    assert frame.shape == (90, 80)


def test_decoded_frames_spill_into_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(dicom, "_SPILLED_BYTES", 100)
    colour = np.repeat(FRAMES[..., None], 3, axis=-1)
    volume = read_volume(save(dataset(colour), tmp_path / "a.dcm"))

    np.testing.assert_array_equal(volume.array, FRAMES)
    assert isinstance(volume.array.base, np.memmap) or isinstance(
        volume.array, np.memmap
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16])
@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
def test_large_files_are_mapped_with_the_values_they_hold(tmp_path, dtype, syntax):
    frames = RNG.integers(0, 200, (3, 20, 30)).astype(dtype)
    ds = dataset(frames)
    ds["PixelData"].VR = "OB" if dtype is np.uint8 else "OW"
    ds.file_meta.TransferSyntaxUID = syntax
    path = save(ds, tmp_path / "a.dcm")
    array = mapped_frames(path, read_header(path))
    assert isinstance(array, np.memmap)
    assert array.dtype == dtype
    np.testing.assert_array_equal(array, frames)


def test_fill_bytes_between_markers_are_passed_over():
    """A marker may begin with any number of FF (ISO 10918-1, B.1.1.2)."""
    frame = bytes((8, 0, 20, 0, 30, 1, 1, 0x11, 0))
    start = b"\xff\xd8"
    for fill in (b"", b"\xff", b"\xff\xff", b"\xff\xff\xff"):
        length = (len(frame) + 2).to_bytes(2)
        stream = start + fill + b"\xff\xc3" + length + frame
        assert dicom_jpeg._size_in(stream) == (20, 30, 1)
    assert dicom_jpeg._size_in(start + b"\x00\xc3") is None


@pytest.mark.parametrize(
    ("units", "words"),
    [(0, "no unit"), (4, "seconds"), (12, "degrees"), (99, "unit 99")],
)
def test_a_region_in_other_units_names_them(units, words):
    found = _region(region((0, 9), (0, 9), units=units))
    assert found.units == words
    assert found.pixel_mm is None
