import numpy as np
import pytest

from napari_microus.core.errors import InputError
from napari_microus.core.io import write_volume
from napari_microus.core.study import Study, import_folder
from napari_microus.core.study.mri_layouts import find_cases, recognise_mri
from napari_microus.core.volume import Volume


def write(path, array, spacing_mm=(3.0, 0.5, 0.5)):
    path.parent.mkdir(parents=True, exist_ok=True)
    affine = np.diag([*spacing_mm[::-1], 1.0])
    write_volume(Volume(array, affine, is_oriented=True), path)


@pytest.fixture
def picai(tmp_path):
    """Two examinations of one patient and one without labels, T2W finer than DWI."""
    root = tmp_path / "picai"
    labels = root / "picai_labels/csPCa_lesion_delineations/human_expert/resampled"
    rng = np.random.default_rng(0)
    for name in ("10000_1000000", "10000_1000001", "10001_1000002"):
        folder = root / "images" / name.partition("_")[0]
        write(folder / f"{name}_t2w.mha", rng.normal(size=(6, 16, 16)))
        for channel in ("adc", "hbv"):
            dwi = rng.normal(size=(6, 8, 8))
            write(folder / f"{name}_{channel}.mha", dwi, (3.0, 1.0, 1.0))
        write(folder / f"{name}_cor.mha", rng.normal(size=(4, 8, 8)))
        if name != "10001_1000002":
            grades = np.zeros((6, 16, 16), np.uint8)
            grades[2:4, 4:8, 4:8] = 3
            grades[2:4, 10:12, 10:12] = 1
            write(labels / f"{name}.nii.gz", grades)
    return root


@pytest.fixture
def brats(tmp_path):
    root = tmp_path / "brats"
    rng = np.random.default_rng(1)
    for grade, name in (("HGG", "Brats18_CBICA_AAB_1"), ("LGG", "Brats18_TCIA_1_1")):
        for channel in ("t1", "t1ce", "t2", "flair"):
            file = root / grade / name / f"{name}_{channel}.nii.gz"
            write(file, rng.normal(size=(8, 8, 8)), (1.0, 1.0, 1.0))
        tumour = np.zeros((8, 8, 8), np.uint8)
        tumour[2:6, 2:6, 2:6] = 2
        tumour[3:5, 3:5, 3:5] = 4
        tumour[3, 3, 3] = 1
        write(root / grade / name / f"{name}_seg.nii.gz", tumour, (1.0, 1.0, 1.0))
    return root


def test_picai_becomes_a_study(picai, tmp_path):
    study = Study(tmp_path / "study")
    stated = import_folder(study, picai)

    opened = Study.open(study.folder)
    assert [case.patient for case in opened.cases] == ["10000", "10000", "10001"]
    first = opened.cases[0]
    assert tuple(first.channels) == ("t2w", "adc", "hbv")
    assert first.label_rule == "picai_cspca"
    assert first.annotators == {}
    scan, expert, _ = opened.read(first)
    assert expert.shares_grid(scan)
    assert expert.array.sum() == 2 * 4 * 4  # grade 1 does not count
    channels = opened.read_channels(first, ("adc", "t2w"))
    assert [volume.shape for volume in channels.values()] == [(6, 8, 8), (6, 16, 16)]
    assert "10001_1000002 has no labels." in stated


def test_brats_becomes_a_study(brats, tmp_path):
    study = Study(tmp_path / "study")
    import_folder(study, brats)

    opened = Study.open(study.folder)
    assert [case.case[:8] for case in opened.cases] == ["Brats18_"] * 2
    assert tuple(opened.cases[1].channels) == ("t1", "t1ce", "t2", "flair")
    assert opened.read(opened.cases[0])[1].array.sum() == 4**3


def test_a_case_without_a_channel_is_left_out_and_reported(picai):
    (picai / "images/10000/10000_1000000_adc.mha").unlink()
    found = find_cases(picai, "picai")
    assert len(found.cases) == 2
    assert found.lacking[0] == "10000_1000000 has no adc; left out."


def test_a_folder_of_neither_is_reported(tmp_path):
    assert recognise_mri(tmp_path) is None
    with pytest.raises(InputError, match=r"HGG/<case>.*; got none of it in"):
        find_cases(tmp_path, "brats")
