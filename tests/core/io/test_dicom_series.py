"""Folders of DICOM files and DICOMDIRs."""

import numpy as np
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.fileset import FileSet
from pydicom.uid import generate_uid

from dicom_files import dataset, save
from napari_microus.core.errors import InputError
from napari_microus.core.io import dicom_series, is_readable, read_volume

FRAMES = np.random.default_rng(5).integers(0, 255, (3, 8, 9), np.uint8)


def write_frames(folder, frames=FRAMES, **elements):
    """Single frames that lie 0.4 mm apart, named against their order."""
    folder.mkdir(exist_ok=True)
    for number, frame in enumerate(frames):
        stated = {
            "InstanceNumber": number + 1,
            "ImagePositionPatient": [0, 0, 0.4 * number],
            "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
            "PixelSpacing": [0.2, 0.1],
            **elements,
        }
        stated = {key: value for key, value in stated.items() if value is not None}
        save(dataset(frame, **stated), folder / f"f{len(frames) - number}.dcm")
    return folder


def test_frames_are_sorted_by_their_place(tmp_path):
    volume = read_volume(write_frames(tmp_path / "s"))

    np.testing.assert_array_equal(volume.array, FRAMES)
    assert volume.spacing_mm == pytest.approx((0.4, 0.2, 0.1))
    assert volume.knows_frame_distance
    assert volume.is_oriented


def test_frames_in_one_place_are_sorted_by_number_and_their_distance_is_unknown(
    tmp_path,
):
    folder = write_frames(tmp_path / "s", ImagePositionPatient=[0, 0, 0])
    volume = read_volume(folder)

    np.testing.assert_array_equal(volume.array, FRAMES)
    assert volume.has_geometry
    assert not volume.knows_frame_distance


def test_frames_without_number_and_place_are_sorted_by_name(tmp_path):
    gone = {"InstanceNumber": None, "ImagePositionPatient": None}
    frames = np.concatenate([FRAMES] * 4)  # f12 … f1
    volume = read_volume(write_frames(tmp_path / "s", frames, **gone))

    np.testing.assert_array_equal(volume.array, frames[::-1])


def test_files_of_a_series_can_be_chosen(tmp_path):
    folder = write_frames(tmp_path / "s")
    volume = read_volume(sorted(folder.iterdir()))

    np.testing.assert_array_equal(volume.array, FRAMES)


def test_a_missing_frame_is_refused(tmp_path):
    folder = write_frames(tmp_path / "s", np.concatenate([FRAMES, FRAMES]))
    (folder / "f3.dcm").unlink()

    with pytest.raises(InputError, match=r"equal distances; got steps of 0.4 to 0.8"):
        read_volume(folder)


def test_frames_turned_against_each_other_have_no_distance(tmp_path):
    folder = tmp_path / "fan"
    folder.mkdir()
    for number, frame in enumerate(FRAMES):
        angle = np.deg2rad(10 * number)
        stated = {
            "InstanceNumber": number + 1,
            "ImagePositionPatient": [0, 3 * np.cos(angle), 3 * np.sin(angle)],
            "ImageOrientationPatient": [1, 0, 0, 0, np.cos(angle), np.sin(angle)],
            "PixelSpacing": [0.2, 0.1],
            "SpacingBetweenSlices": 1.0,
        }
        stated = {
            k: np.round(v, 8).tolist() if isinstance(v, list) else v
            for k, v in stated.items()
        }
        save(dataset(frame, **stated), folder / f"f{9 - number}.dcm")

    volume = read_volume(folder)

    np.testing.assert_array_equal(volume.array, FRAMES)
    assert not volume.knows_frame_distance
    assert any("turned against each other" in n for n in volume.metadata["notices"])


@pytest.mark.parametrize("of", ["Patient", "Volume"])
def test_functional_groups_place_the_frames_of_one_file(tmp_path, of):
    """The axes of an ultrasound volume place frames, but not in the patient."""

    def item(**stated):
        one = Dataset()
        for key, value in stated.items():
            setattr(one, key, value)
        return one

    suffix = "" if of == "Patient" else of
    shared = item(
        PixelMeasuresSequence=[item(PixelSpacing=[0.2, 0.1])],
        **{
            f"PlaneOrientation{suffix}Sequence": [
                item(**{f"ImageOrientation{of}": [1, 0, 0, 0, 1, 0]})
            ]
        },
    )
    frames = [
        item(
            **{
                f"PlanePosition{suffix}Sequence": [
                    item(**{f"ImagePosition{of}": [5, 6, 7 + 0.5 * n]})
                ]
            }
        )
        for n in range(3)
    ]
    ds = dataset(
        FRAMES,
        SharedFunctionalGroupsSequence=[shared],
        PerFrameFunctionalGroupsSequence=frames,
    )
    volume = read_volume(save(ds, tmp_path / "a.dcm"))

    assert volume.spacing_mm == pytest.approx((0.5, 0.2, 0.1))
    assert volume.knows_frame_distance
    np.testing.assert_allclose(volume.affine[:3, 3], [-5, -6, 7])
    assert volume.is_oriented == (of == "Patient")


def test_frames_of_two_sizes_are_refused(tmp_path):
    folder = write_frames(tmp_path / "s")
    save(dataset(FRAMES[0, :4], InstanceNumber=9), folder / "small.dcm")

    with pytest.raises(InputError, match=r"one size; got .*4 × 9"):
        read_volume(folder)


def test_two_patients_are_refused_and_not_named(tmp_path):
    folder = write_frames(tmp_path / "s")
    other = dataset(FRAMES[0], PatientID="SECRET-2", SeriesInstanceUID=generate_uid())
    save(other, folder / "other.dcm")

    with pytest.raises(InputError, match="of one patient; got files of 2") as raised:
        read_volume(folder)
    assert "SECRET" not in str(raised.value)


def test_series_are_listed_by_number_and_size(tmp_path):
    folder = write_frames(tmp_path / "s", SeriesDescription="Jane Doe biopsy")
    for name in ("cine1", "cine2"):  # one series of the machine, two scans
        cine = dataset(np.zeros((5, 6, 7), np.uint8), SeriesDescription="Jane Doe")
        save(cine, folder / f"{name}.dcm")
    report = dataset(FRAMES, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.33")
    del report.PixelData, report.Rows, report.Columns
    save(report, folder / "report.dcm")

    series = dicom_series(folder)

    assert [(s.number, s.frames, s.rows, s.columns) for s in series] == [
        (1, 5, 6, 7),
        (2, 5, 6, 7),
        (3, 3, 8, 9),
    ]
    assert series[0].description == "ultrasound, 5 frames of 6 × 7"
    np.testing.assert_array_equal(read_volume(series[2].files).array, FRAMES)
    with pytest.raises(InputError, match="must hold one series; got 3") as raised:
        read_volume(folder)
    assert "Jane" not in str(raised.value) + str(series)
    assert "1: ultrasound, 5 frames of 6 × 7; 2:" in str(raised.value)


def test_reports_beside_a_scan_are_left_out_with_a_sentence(tmp_path):
    folder = write_frames(tmp_path / "s")
    report = dataset(FRAMES, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.33")
    del report.PixelData, report.Rows, report.Columns
    save(report, folder / "report.dcm")

    volume = read_volume(folder)

    assert volume.shape == FRAMES.shape
    assert (
        "1 file beside the scan held a structured report, no image; it was left out."
        in volume.metadata["notices"]
    )


def test_a_dicomdir_stands_for_the_files_it_names(tmp_path):
    study = {"StudyID": "1", "StudyDate": "20260102", "StudyTime": "1200"}
    folder = write_frames(tmp_path / "s", **study, SeriesNumber=1)
    disc = FileSet()
    for path in sorted(folder.iterdir()):
        disc.add(path)
    disc.write(tmp_path / "disc")
    disc._stage["t"].cleanup()  # else whichever test collects garbage is warned of it

    for path in (tmp_path / "disc", tmp_path / "disc" / "DICOMDIR"):
        assert is_readable(path)
        np.testing.assert_array_equal(read_volume(path).array, FRAMES)
        assert [s.frames for s in dicom_series(path)] == [3]

    next(p for p in (tmp_path / "disc").rglob("*") if p.name.startswith("IM")).unlink()
    with pytest.raises(InputError, match="must lie beside it; got one that is missing"):
        read_volume(tmp_path / "disc")


def test_pydicoms_dicomdir_of_several_patients_is_listed_and_refused():
    path = get_testdata_file("DICOMDIR", download=False)
    if path is None:
        pytest.skip("not in the wheel")

    series = dicom_series(path)

    assert {s.description for s in series} >= {"CT, 4 frames of 16 × 16"}
    assert "Doe" not in repr([s.description for s in series])
    with pytest.raises(InputError, match="of one patient; got files of 2"):
        read_volume(path)
