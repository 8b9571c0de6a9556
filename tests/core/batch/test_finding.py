import numpy as np
import pytest
import tifffile
from PIL import Image
from pydicom.uid import generate_uid

from dicom_files import dataset, save
from napari_microus.core.batch import find_scans
from napari_microus.core.errors import InputError
from napari_microus.core.events import Notice, drain
from napari_microus.core.io import read_volume, write_mask

RNG = np.random.default_rng(0)
FRAME = RNG.integers(0, 255, (8, 9), np.uint8)
CINE = RNG.integers(0, 255, (3, 8, 9), np.uint8)


def find(*inputs, **options):
    notices = []

    def hear(event):
        notices.extend([event.message] if isinstance(event, Notice) else [])

    return drain(find_scans(list(inputs), **options), hear), notices


def names(*inputs, **options):
    return [scan.name for scan in find(*inputs, **options)[0]]


def test_masks_beside_scans_are_no_scans_unless_given_by_name(tmp_path, write_scan):
    for name in ("p1", "p1_capsule", "mask_p1", "p1-label", "expert", "p10", "p2"):
        write_scan(tmp_path / f"{name}.nii.gz")
    write_scan(tmp_path / "p3.seg.nrrd".replace(".seg", ""))
    drawn = read_volume(tmp_path / "p1.nii.gz")
    drawn = drawn.like((drawn.array > 99).astype(np.uint8))
    write_mask(drawn, tmp_path / "corrected.nii.gz", provenance={"task": "segment"})
    write_mask(drawn, tmp_path / "p4.seg.nrrd")

    scans, notices = find(tmp_path)

    assert [scan.name for scan in scans] == ["p1", "p2", "p3", "p10"]
    assert len(notices) == 1
    assert "written here: 6 (" in notices[0]
    assert names(tmp_path / "p1_capsule.nii.gz") == ["p1_capsule"]


def test_folders_of_folders_are_searched_on_request(tmp_path, write_scan):
    for place in ("x.nii", "day1/x.nii", "day1/deep/y.nii", ".hidden/z.nii"):
        write_scan(tmp_path / place)
    for place in ("out/w.nii", "day1/contact_sheet_files/v.nii"):
        write_scan(tmp_path / place)

    assert names(tmp_path) == ["x"]
    found = names(tmp_path, recursive=True, leave_out=tmp_path / "out")
    assert found == ["x", "day1/x", "day1/deep/y"]


def test_a_folder_that_links_to_itself_is_searched_once(tmp_path, write_scan):
    write_scan(tmp_path / "a" / "x.nii")
    (tmp_path / "a" / "again").symlink_to(tmp_path, target_is_directory=True)
    assert names(tmp_path, recursive=True) == ["a/x"]


def test_equal_names_do_not_collide(tmp_path, write_scan):
    one = write_scan(tmp_path / "siteA" / "x.nii.gz")
    two = write_scan(tmp_path / "siteB" / "X.nii.gz")
    beside = write_scan(tmp_path / "siteB" / "x.nrrd")
    alone = write_scan(tmp_path / "siteB" / "y.nii.gz")

    found = names(one, two, beside, alone)
    folders = names(tmp_path / "siteA", tmp_path / "siteB")

    assert found == ["siteA/x", "X.nii.gz", "x.nrrd", "y"]
    assert folders == ["siteA/x", "siteB/X.nii.gz", "siteB/x.nrrd", "siteB/y"]


def test_pictures_are_one_scan_and_stacks_one_each(tmp_path):
    for number in range(3):
        place = tmp_path / "frames" / f"{number}.png"
        place.parent.mkdir(exist_ok=True)
        Image.fromarray(FRAME).save(place)
    (tmp_path / "stacks").mkdir()
    for name, looks in (("s1", "rgb"), ("s2", "minisblack"), ("s1_mask", "rgb")):
        tifffile.imwrite(tmp_path / f"stacks/{name}.tif", CINE, photometric=looks)

    scans, _ = find(tmp_path, recursive=True)

    assert [scan.name for scan in scans] == ["frames", "stacks/s1", "stacks/s2"]
    assert [scan.read().shape for scan in scans] == [(3, 8, 9)] * 3
    assert names(tmp_path / "frames") == ["frames"]


def test_each_dicom_series_is_a_scan(tmp_path):
    for series in range(2):
        uid = generate_uid()
        for number in range(2):
            ds = dataset(FRAME, SeriesInstanceUID=uid, InstanceNumber=number + 1)
            save(ds, tmp_path / f"s{series}_{number}.dcm")
    save(dataset(CINE), tmp_path / "cine.dcm")

    scans, _ = find(tmp_path)

    shapes = {scan.name: scan.read().shape for scan in scans}
    assert shapes.pop("cine") == (3, 8, 9)
    assert list(shapes.values()) == [(2, 8, 9)] * 2
    assert all(name.startswith(f"{tmp_path.name}_series-") for name in shapes)
    assert shapes.keys() == {s.name for s in find(tmp_path)[0]} - {"cine"}


def test_a_damaged_dicom_file_stops_neither_search_nor_cines(tmp_path):
    save(dataset(CINE), tmp_path / "cine.dcm")
    for number in range(2):
        save(dataset(FRAME, InstanceNumber=number), tmp_path / f"f{number}.dcm")
    (tmp_path / "bad.dcm").write_bytes(b"nothing of DICOM" * 20)
    report = dataset(FRAME, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.33")
    save(report, tmp_path / "report.dcm")

    scans, notices = find(tmp_path)

    faults = {scan.name: scan.fault for scan in scans}
    assert faults.pop("cine") == ""
    assert "Cannot read bad.dcm: not a DICOM image, or inc" in faults.pop("bad")
    [series] = faults.values()  # a frame may be missing: nobody knows
    assert "Damaged files lie beside this series (1)" in series
    assert "1 file beside the scan held a structured report" in notices[0]


@pytest.mark.parametrize(
    "place",
    [
        "Doe_Jane/scan.dcm",
        "P-4711.dcm",
        "day_2031-07-29/scan.dcm",
        "{uid}.dcm",
        "jane2.dcm",
    ],
)
def test_identifiers_of_a_header_are_not_in_a_name(tmp_path, place):
    uid = generate_uid()
    stated = {"PatientID": "P4711", "StudyDate": "20310729", "SOPInstanceUID": uid}
    path = tmp_path / place.format(uid=uid)
    path.parent.mkdir(exist_ok=True)
    save(dataset(CINE, **stated), path)

    [scan], _ = find(tmp_path, recursive=True)

    assert scan.name.startswith("scan-")
    assert scan.name == scan.label
    assert scan.without_paths(f"got {path}, {path.name}") == (
        f"got {scan.name}, {scan.name}"
    )


def test_copies_whose_names_must_not_be_shown_have_two_names(tmp_path):
    path = save(dataset(CINE), tmp_path / "doe1.dcm")
    (tmp_path / "doe2.dcm").write_bytes(path.read_bytes())
    one, two = names(tmp_path)
    assert two == f"{one}-2"


def test_a_patient_called_can_leaves_scans_their_names(tmp_path):
    save(dataset(CINE, PatientName="Can^Li"), tmp_path / "scan_lithotomy.dcm")
    assert names(tmp_path) == ["scan_lithotomy"]


def test_what_is_no_input_is_refused(tmp_path, write_scan):
    scan = write_scan(tmp_path / "in" / "x.nii")
    (tmp_path / "empty" / "below").mkdir(parents=True)
    write_scan(tmp_path / "masks" / "x_mask.nii")
    for inputs, said in (
        ([tmp_path / "none"], "must exist; got"),
        ([scan, scan], "given once"),
        ([tmp_path / "in", scan], "given once"),
        ([tmp_path / "empty"], r"which holds none. .*--recursive"),
        ([tmp_path / "masks"], "which holds masks alone. Choose another folder.$"),
        ([], "got nothing"),
    ):
        with pytest.raises(InputError, match=said):
            names(*inputs)
