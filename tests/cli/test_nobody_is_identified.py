"""What a DICOM header states about a person reaches no result, notice or error."""

import base64
import contextlib
import io
import json
import logging
import re
import traceback
import warnings

import numpy as np
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import generate_uid

from dicom_files import dataset, region, save
from napari_microus.core.errors import MicroUSError
from napari_microus.core.export.dicom_seg import write_dicom_seg
from napari_microus.core.export.rt_structures import write_rt_structures
from napari_microus.core.io import (
    dicom_series,
    read_mask,
    read_provenance,
    read_volume,
    write_mask,
)

RNG = np.random.default_rng(3)

# 30 and more identifiers, each a word that occurs nowhere else.
TEXTS = {
    "PatientName": "ZQNAME^ZQGIVEN",
    "PatientID": "ZQ-PID-4711",
    "IssuerOfPatientID": "ZQISSUER",
    "PatientBirthDate": "19430317",
    "PatientBirthTime": "031415",
    "OtherPatientNames": "ZQOTHER^ZQALIAS",
    "PatientBirthName": "ZQMAIDEN",
    "PatientMotherBirthName": "ZQMOTHER",
    "PatientAddress": "ZQSTREET 7",
    "PatientTelephoneNumbers": "ZQPHONE-555",
    "PatientComments": "ZQCOMMENT",
    "MilitaryRank": "ZQRANK",
    "EthnicGroup": "ZQGROUP",
    "Occupation": "ZQJOB",
    "AccessionNumber": "ZQACC-0815",
    "StudyID": "ZQSTUDY",
    "StudyDate": "20310729",
    "SeriesDate": "20310730",
    "AcquisitionDate": "20310731",
    "ContentDate": "20310801",
    "StudyTime": "235958",
    "StudyDescription": "ZQSTUDYTEXT",
    "SeriesDescription": "ZQSERIESTEXT",
    "ProtocolName": "ZQPROTOCOL",
    "InstitutionName": "ZQCLINIC",
    "InstitutionAddress": "ZQCLINICROAD",
    "InstitutionalDepartmentName": "ZQDEPARTMENT",
    "ReferringPhysicianName": "ZQREFERRER",
    "PerformingPhysicianName": "ZQPERFORMER",
    "OperatorsName": "ZQOPERATOR",
    "NameOfPhysiciansReadingStudy": "ZQREADER",
    "RequestingPhysician": "ZQREQUESTER",
    "StationName": "ZQSTATION",
    "DeviceSerialNumber": "ZQSERIAL-1",
    "ImageComments": "ZQIMAGETEXT",
    "DerivationDescription": "ZQDERIVED",
    "AdmissionID": "ZQADMISSION",
    "ImageType": "ZQTYPE",
}


def planted(pixels, **elements):
    """A picture with every identifier, and the words to look for."""
    uids = {
        key: generate_uid()
        for key in (
            "SOPInstanceUID",
            "StudyInstanceUID",
            "SeriesInstanceUID",
            "FrameOfReferenceUID",
        )
    }
    ds = dataset(pixels, **TEXTS, **uids, **elements)
    block = ds.private_block(0x0029, "ZQVENDOR", create=True)
    block.add_new(0x10, "LO", "ZQPRIVATE")
    block.add_new(0x11, "PN", "ZQPRIVATE^ZQPERSON")
    words = [word for text in TEXTS.values() for word in re.split(r"[\^ ]", text)]
    words = [word for word in words if len(word) > 3]
    return ds, [*words, *uids.values(), "ZQVENDOR", "ZQPRIVATE", "ZQPERSON"]


def assert_nobody(words, *texts):
    for text in texts:
        found = [word for word in words if word in str(text)]
        assert not found, (found, str(text)[:300])


@contextlib.contextmanager
def everything_said():
    """Collect what is printed, logged or warned."""
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        with (
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(said),
            warnings.catch_warnings(record=True) as warned,
        ):
            warnings.simplefilter("always")
            yield said
    finally:
        root.removeHandler(handler)
        said.write(" ".join(str(one.message) for one in warned))


@pytest.fixture
def scan(tmp_path):
    """A calibrated cine, and the words that must not leave it."""
    frames = RNG.integers(0, 255, (3, 60, 80), np.uint8)
    item = region((5, 50), (10, 70), cm=(0.02, 0.02))
    cine = {"CineRate": 25, "FrameTime": 40.0, "RecommendedDisplayFrameRate": 25}
    ds, words = planted(frames, regions=[item], PixelSpacing=[0.1, 0.1], **cine)
    return save(ds, tmp_path / "scan.dcm"), words


def test_volume_metadata_and_notices_name_nobody(scan):
    path, words = scan
    assert len(TEXTS) >= 30
    content = path.read_bytes()
    assert all(word.encode() in content for word in words)

    with everything_said() as said:
        volume = read_volume(path)
        listed = dicom_series(path.parent)

    assert volume.metadata["notices"]
    assert_nobody(words, volume.metadata, vars(volume), listed, said.getvalue())


def bytes_of(folder):
    import gzip

    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            yield path.name
            yield content.decode("latin-1")
            if path.name.endswith(".gz"):
                yield gzip.decompress(content).decode("latin-1")


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".seg.nrrd", ".mha"])
def test_masks_written_over_it_name_nobody(scan, tmp_path, suffix):
    path, words = scan
    volume = read_volume(path)
    mask = volume.like(np.ones(volume.shape, np.uint8), **volume.metadata)
    made = {"image": path.name, "scan": volume.metadata}

    write_mask(mask, tmp_path / "out" / f"m{suffix}", provenance=made)

    assert_nobody(words, *bytes_of(tmp_path / "out"))


def test_segment_and_study_import_name_nobody(
    scan, tmp_path, run_command, small_scan, capsys
):
    del small_scan  # its library has the tiny model
    path, words = scan
    out = tmp_path / "out"
    with everything_said() as said:
        line = [path, "-o", out, "--probability", out / "p"]
        assert run_command("segment", *line) == 0

        images = tmp_path / "cases" / "images"
        images.mkdir(parents=True)
        (images / "case1.dcm").write_bytes(path.read_bytes())
        (images / "case2.dcm").write_bytes(path.read_bytes())
        study = tmp_path / "study"
        assert run_command("study", "import", study, tmp_path / "cases") == 0
        run_command("study", "check", study)
        added = ["--image", path, "--case", "c", "--patient", "p"]
        assert run_command("study", "add", study, *added) == 0
        assert run_command("scan", "show", path) == 0

    printed = capsys.readouterr()
    assert list(out.glob("*_capsule.nii.gz"))
    assert list(out.glob("*_capsule.json"))
    texts = [*bytes_of(out), *bytes_of(study)]
    assert len(texts) > 6
    assert_nobody(words, *texts, said.getvalue(), printed.out, printed.err)


def unpacked(page):
    """A page with its pictures as they are: packed, any few letters occur in them."""
    return re.sub(
        r"base64,([^\"]+)",
        lambda found: base64.b64decode(found[1]).decode("latin-1"),
        page,
    )


def test_cases_and_reports_name_nobody_nor_any_file(
    scan, tmp_path, run_command, monkeypatch, capsys
):
    """Not even where the names of files and folders are those of a patient."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    path, words = scan
    volume = read_volume(path)
    private = tmp_path / "ZQFOLDER" / "ZQFILE.dcm"
    private.parent.mkdir()
    path.rename(private)
    mask = private.with_name("ZQMASK.nii.gz")
    made = {"image": "ZQLAYER", "source": str(private), "model": "microus-small"}
    write_mask(volume.like(np.ones(volume.shape, np.uint8)), mask, provenance=made)
    out = tmp_path / "out"
    folders = [out / "by pixels", out / "by pseudonym", out / "copy"]
    options = [(), ("--pseudonym",), ("--copy-scan", "--psa", "4")]
    with everything_said() as said:
        for folder, option in zip(folders, options, strict=True):
            line = [private, "--mask", mask, "-o", folder, *option]
            assert run_command("case", "save", *line) == 0
            assert run_command("case", "show", folder, "--csv", f"{folder}.csv") == 0
            assert run_command("case", "check", folder) == 0
            line = [folder, "-o", f"{folder}.html"]
            assert run_command("case", "report", *line) == 0
        private.unlink()
        assert run_command("case", "check", folders[0]) == 1
        assert run_command("case", "report", folders[0], "-o", out / "no.html") == 2

    printed = capsys.readouterr()
    texts = [*bytes_of(out), said.getvalue(), printed.out, printed.err]
    assert len(texts) > 20
    assert "microus-small" in "".join(texts)
    own = ["ZQFOLDER", "ZQFILE", "ZQMASK", "ZQLAYER"]
    assert_nobody([*words, *own], *map(unpacked, texts))
    assert (
        len(
            {
                json.loads((f / "case.json").read_text(encoding="utf-8"))["code"]
                for f in folders
            }
        )
        == 2
    )


@pytest.fixture
def placed_scan(tmp_path):
    """A single frame with a place in the patient, and the words in its header."""
    place = {
        "ImageOrientationPatient": [1, 0, 0, 0, 0, -1],
        "ImagePositionPatient": [1, 2, 3],
        "PixelSpacing": [0.1, 0.1],
        "Manufacturer": "ZQMAKER",
        "SeriesNumber": 4711,
    }
    item = region((5, 50), (10, 70), cm=(0.01, 0.01))
    item.private_block(0x0029, "ZQVENDOR", create=True).add_new(1, "LO", "ZQREGION")
    frame = RNG.integers(0, 255, (60, 80), np.uint8)
    ds, words = planted(frame, regions=[item], **place)
    return save(ds, tmp_path / "placed.dcm"), [*words, "ZQMAKER", "ZQREGION"]


@pytest.mark.parametrize("write", [write_dicom_seg, write_rt_structures])
@pytest.mark.parametrize("which", ["scan", "placed_scan"])
def test_deidentified_dicom_names_nobody(request, tmp_path, which, write):
    path, words = request.getfixturevalue(which)
    volume = read_volume(path)
    mask = volume.like(np.ones(volume.shape, np.uint8), **volume.metadata)
    made = {"drawn": "manual", "deidentified": True, "key": b"k" * 32}
    stated = ""

    with everything_said() as said:
        try:
            out = write(mask, path, tmp_path / "out" / "x.dcm", **made)
        except MicroUSError as error:  # a cine is no structure set
            stated = "".join(traceback.format_exception(error))
        else:
            stated = out.name

    assert stated
    assert ("at known places" in stated) == (
        which == "scan" and write is write_rt_structures
    )
    assert_nobody(words, *bytes_of(tmp_path / "out"), stated, said.getvalue())


@pytest.mark.parametrize("write", [write_dicom_seg, write_rt_structures])
def test_dicom_results_name_the_patient_and_the_study_alone(
    placed_scan, tmp_path, write, run_command, capsys
):
    """They belong there; nothing of it is said, and it is not read again."""
    path, words = placed_scan
    volume = read_volume(path)
    mask = volume.like(np.ones(volume.shape, np.uint8))
    out = tmp_path / "out.dcm"

    with everything_said() as said:
        write(mask, path, out, drawn="manual")
        if write is write_dicom_seg:
            again = read_mask(out)
            stated = [repr(again.metadata), repr(read_provenance(out))]
            assert run_command("scan", "show", out) == 0
        else:
            with pytest.raises(MicroUSError, match="radiotherapy structures") as error:
                read_volume(out)
            stated = [str(error.value)]

    printed = capsys.readouterr()
    content = out.read_bytes()
    assert b"ZQNAME^ZQGIVEN" in content
    assert b"ZQ-PID-4711" in content
    assert b"ZQSTUDY" in content
    for other in ("ZQVENDOR", "ZQPRIVATE", "ZQREGION", "ZQSERIESTEXT", "ZQCLINIC"):
        assert other.encode() not in content
    assert_nobody(words, *stated, said.getvalue(), printed.out, printed.err)


def test_a_batch_names_nobody_though_its_files_and_folders_do(
    scan, tmp_path, run_command, small_scan, capsys
):
    del small_scan  # its library has the tiny model
    path, words = scan
    content = path.read_bytes()
    for place in ("ZQGIVEN_ZQNAME/cine.dcm", "ZQ-PID-4711.dcm", "day/20310729.dcm"):
        target = tmp_path / "in" / place
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content + bytes(2 * len(place)))  # no copies
    damaged, _ = planted(RNG.integers(0, 255, (3, 60, 80), np.uint8))
    damaged.NumberOfFrames = 400
    save(damaged, tmp_path / "in" / "ZQNAME.dcm")
    out = tmp_path / "out"

    with everything_said() as said:
        line = ["segment", tmp_path / "in", "-r", "-o", out, "--progress", "json"]
        assert run_command(*line) == 1

    printed = capsys.readouterr()
    assert len(list(out.glob("scan-*_capsule.nii.gz"))) == 3
    assert (out / "failures.csv").is_file()
    stated = (out / "measurements.csv").read_text(encoding="utf-8")
    assert "the ultrasound region" in stated
    assert "several pixel sizes" in stated  # a notice that reading gave
    paths = [str(p.relative_to(out)) for p in out.rglob("*")]
    assert_nobody(
        words, *bytes_of(out), *paths, said.getvalue(), printed.out, printed.err
    )


def spoilt(ds, words, kind):
    """Spoil a file in one way; its identifiers stay."""
    if kind == "report":
        ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.33"
    elif kind == "cut short":
        ds.NumberOfFrames = 400
    elif kind == "Doppler":
        ds.SequenceOfUltrasoundRegions[0].RegionSpatialFormat = 3
    elif kind == "unknown photometric":
        ds.PhotometricInterpretation = "ZQCOLOUR"
    elif kind == "syntax":
        ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.70"
        ds.PixelData = encapsulate([b"no JPEG at all"] * 3)
        ds["PixelData"].is_undefined_length = True
    elif kind == "spacing":
        ds.PixelSpacing = [0, 0]


@pytest.mark.parametrize(
    "kind",
    ["report", "cut short", "Doppler", "unknown photometric", "syntax", "spacing"],
)
def test_errors_name_nobody_nor_do_their_causes(tmp_path, kind):
    ds, words = planted(
        RNG.integers(0, 255, (3, 20, 30), np.uint8),
        regions=[region((0, 19), (0, 29), units=0)],
    )
    spoilt(ds, words, kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = save(ds, tmp_path / "scan.dcm")
    stated = ""

    with everything_said() as said:
        try:
            stated = repr(read_volume(path).metadata)
        except MicroUSError as error:
            stated = "".join(traceback.format_exception(error))

    assert stated
    assert_nobody([*words, "ZQCOLOUR"], stated, said.getvalue())


def test_values_of_the_wrong_kind_name_nobody(tmp_path):
    """Names in elements that hold numbers, which pydicom quotes in its words."""
    ds, words = planted(RNG.integers(0, 255, (3, 20, 30), np.uint8), CineRate=87654321)
    ds.FrameTime, ds.PixelSpacing = "98765432.1", ["11111111", "22222222"]
    ds.SeriesInstanceUID, ds.SpecificCharacterSet = "1.2.33333333", "ISO_IR 100"
    path = save(ds, tmp_path / "scan.dcm")
    content = path.read_bytes()
    for number in ("87654321", "98765432", *(8 * digit for digit in "123")):
        assert number.encode() in content
        content = content.replace(number.encode(), b"ZQPERSON")
    content = content.replace(b"ISO_IR 100", b"ISZQPERSON")
    path.write_bytes(content)

    with everything_said() as said:
        try:
            stated = repr(read_volume(path).metadata) + repr(dicom_series(tmp_path))
        except MicroUSError as error:
            stated = "".join(traceback.format_exception(error))

    assert "frames of 20 × 30" in stated
    assert_nobody(words, stated, said.getvalue())


def test_errors_of_folders_name_nobody(tmp_path):
    words = []
    for number in range(2):
        ds, stated = planted(RNG.integers(0, 255, (20, 30), np.uint8))
        ds.PatientID = f"ZQ-PID-{number}"
        save(ds, tmp_path / f"{number}.dcm")
        words += stated
    with pytest.raises(MicroUSError, match="of one patient") as raised:
        read_volume(tmp_path)
    assert_nobody(words, str(raised.value))
