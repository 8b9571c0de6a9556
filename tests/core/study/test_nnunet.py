"""nnU-Net's raw data sets, written by hand as its documentation describes them."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from drained import drained
from napari_microus.core.errors import InputError
from napari_microus.core.io import write_volume
from napari_microus.core.study import Study, import_folder
from napari_microus.core.study.nnunet_json import LabelChoiceError
from napari_microus.core.study.nnunet_splits import find_splits
from napari_microus.core.study.split import training_cases
from napari_microus.core.train.study_frames import prepare_study
from napari_microus.core.volume import Volume

SHAPE = (4, 6, 8)


@pytest.fixture
def study(tmp_path):
    return Study.create(tmp_path / "study")


def labels_of(*values):
    """A mask that holds each value in one row of its second slice."""
    array = np.zeros(SHAPE, np.uint8)
    for row, value in enumerate(values):
        array[1, row] = value
    return array


def write_labels(path, *values):
    volume = Volume.from_spacing(labels_of(*values), (3.0, 0.5, 0.5))
    write_volume(volume, path, overwrite=True)


@pytest.fixture
def dataset(tmp_path):
    """Write a data set of version 2: files, and what its ``dataset.json`` states."""
    root = tmp_path / "nnUNet_raw" / "Dataset005_Prostate"

    def write(path, array):
        volume = Volume.from_spacing(array, (3.0, 0.5, 0.5))
        write_volume(volume, root / path, overwrite=True)

    def make(cases=("p_1", "p_2"), channels=("T2", "ADC"), tests=(), **changes):
        random = np.random.default_rng(0)
        for part, names in (("Tr", cases), ("Ts", tests)):
            for name in names:
                for number in range(len(channels)):
                    scan = random.normal(size=SHAPE).astype(np.float32)
                    write(f"images{part}/{name}_{number:04d}.nii.gz", scan)
                if part == "Tr":
                    write(f"labelsTr/{name}.nii.gz", labels_of(1, 2))
        described = {
            "channel_names": {str(n): name for n, name in enumerate(channels)},
            "labels": {"background": 0, "PZ": 1, "TZ": 2},
            "numTraining": len(cases),
            "file_ending": ".nii.gz",
            "overwrite_image_reader_writer": "SimpleITKIO",
        }
        described |= changes
        described = {k: v for k, v in described.items() if v is not None}
        (root / "dataset.json").write_text(json.dumps(described))
        return root

    return make


def masks(study):
    """The values of the first case's rows."""
    scan = study.read_scan(study.cases[0])
    return study.read_mask(study.cases[0], study.cases[0].expert, scan).array[1, :4, 0]


def refused(study, root, match, **how):
    with pytest.raises(InputError, match=match) as caught:
        import_folder(study, root, **how)
    assert "\n" not in str(caught.value)
    assert Study.open(study.folder).cases == []
    return caught.value


def test_channels_and_both_zones_as_the_target(dataset, study):
    notices = import_folder(study, dataset(tests=["p_9"]), labels=["PZ", "tz"])

    first, _, last = Study.open(study.folder).cases
    assert list(first.channels) == ["t2", "adc"]
    assert first.image.endswith("p_1_0000.nii.gz")
    assert first.channels["adc"].endswith("imagesTr/p_1_0001.nii.gz")
    assert masks(study).tolist() == [1, 1, 0, 0]
    assert (last.case, last.split, last.expert, last.label_rule) == (
        "p_9",
        "test",
        "",
        "",
    )
    assert any("The target is PZ and TZ (value 1, 2)" in text for text in notices)
    assert any("1 of 1 test cases have no mask" in text for text in notices)
    channels = study.read_channels(first, ("t2", "adc"))
    assert channels["adc"].shape == SHAPE


@pytest.mark.parametrize("label", ["TZ", "2"])
def test_one_of_several_labels_by_name_or_value(dataset, study, label):
    import_folder(study, dataset(), labels=[label])
    assert study.cases[0].label_rule == "target=2 others=0+1"
    assert masks(study).tolist() == [0, 1, 0, 0]


def test_several_labels_ask_which(dataset, study):
    error = refused(study, dataset(), "a choice of PZ, TZ")
    assert isinstance(error, LabelChoiceError)
    assert error.labels == ("PZ", "TZ")
    assert "Choose which" in error.plain
    refused(study, dataset(), "one of PZ, TZ; got 'SV'", labels=["SV"])


def test_one_label_of_value_one_needs_neither_choice_nor_rule(dataset, study):
    root = dataset(labels={"background": 0, "prostate": 1})
    import_folder(study, root)
    assert study.cases[0].label_rule == ""
    # The masks hold a 2 that dataset.json does not know: named where it is read.
    with pytest.raises(InputError, match="labels 1, 2"):
        masks(study)


def test_regions_and_the_ignored_label(dataset, study):
    regions = {"background": 0, "whole": [1, 2], "core": [2], "ignore": 3}
    root = dataset(labels=regions, regions_class_order=[1, 2])
    for path in (root / "labelsTr").iterdir():
        write_labels(path, 1, 2, 3)

    import_folder(study, root, labels=["whole"])
    assert study.cases[0].label_rule == "target=1+2 others=0 ignore=3"
    assert masks(study).tolist() == [1, 1, 255, 0]

    other = Study.create(study.folder.parent / "other")
    import_folder(other, root, labels=["core"])
    assert masks(other).tolist() == [0, 1, 255, 0]


def test_a_value_outside_the_rule_is_named_with_its_case(dataset, study):
    root = dataset()
    write_labels(root / "labelsTr" / "p_1.nii.gz", 1, 7)
    import_folder(study, root, labels=["PZ"])
    with pytest.raises(InputError, match=r"'p_1'.*\(0, 1, 2, 255\); got 7"):
        masks(study)


def test_version_1_names_its_channels_and_labels_otherwise(dataset, study):
    root = dataset(
        channel_names=None,
        file_ending=None,
        modality={"0": "MRI", "1": "MRI"},
        labels={"0": "background", "1": "PZ", "2": "TZ"},
        training=[{"image": "./imagesTr/p_1.nii.gz", "label": "./labelsTr/p_1.nii.gz"}],
    )
    import_folder(study, root, labels=["TZ"])
    assert list(study.cases[0].channels) == ["mri_0", "mri_1"]
    assert masks(study).tolist() == [0, 1, 0, 0]


def test_files_that_lie_elsewhere_are_found_by_the_list(dataset, study, tmp_path):
    root = dataset(channels=["US"])
    elsewhere = tmp_path / "elsewhere"
    (root / "imagesTr").rename(elsewhere)
    listed = {
        f"case{n}": {
            "images": [f"../../elsewhere/p_{n}_0000.nii.gz"],
            "label": f"labelsTr/p_{n}.nii.gz",
        }
        for n in (1, 2)
    }
    described = json.loads((root / "dataset.json").read_text(encoding="utf-8"))
    text = json.dumps(described | {"dataset": listed})
    (root / "dataset.json").write_text(text)

    import_folder(study, root, labels=["PZ"])
    assert [case.case for case in study.cases] == ["case1", "case2"]
    assert masks(study).tolist() == [1, 0, 0, 0]
    assert study.cases[0].channels == {}

    (elsewhere / "p_2_0000.nii.gz").unlink()
    other = Study.create(tmp_path / "other")
    refused(other, root, "lists must be there", labels=["PZ"])


# --- frames


@pytest.fixture
def pictures(tmp_path):
    """Two frames as pictures, with masks of 0 and 1."""
    root = tmp_path / "Dataset120_Frames"

    def make(channels=("US",), files=1, labels=None):
        for name in ("a", "b"):
            for number in range(files):
                path = root / "imagesTr" / f"{name}_{number:04d}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                noise = np.random.default_rng(number).integers(0, 255, (40, 48))
                Image.fromarray(noise.astype(np.uint8)).save(path)
            mask = np.zeros((40, 48), np.uint8)
            mask[8:20, 8:20], mask[20:30, 20:30] = 1, 2
            path = root / "labelsTr" / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(mask).save(path)
        described = {
            "channel_names": {str(n): c for n, c in enumerate(channels)},
            "labels": labels or {"background": 0, "capsule": 1, "lesion": 2},
            "numTraining": 2,
            "file_ending": ".png",
        }
        (root / "dataset.json").write_text(json.dumps(described))
        return root

    return make


def test_frames_are_learnt_from_by_the_chosen_label(pictures, study, tmp_path, tiny):
    import_folder(study, pictures(), labels=["lesion"])
    config = tiny(data={"study": str(study.folder), "cache": str(tmp_path / "c")}).data
    data, _ = drained(prepare_study(config, 40))
    # 10 × 10 of 40 × 48 pixels, at 40 × 40.
    assert (data.frames.expert[0] == 1).mean() == pytest.approx(100 / 1920, abs=0.01)
    assert data.provenance["label_rules"] == "target=2 others=0+1"

    # The other label gives other frames, though the files are the same.
    other = Study.create(tmp_path / "other")
    import_folder(other, pictures(), labels=["capsule"])
    config = tiny(data={"study": str(other.folder), "cache": str(tmp_path / "c")}).data
    data, _ = drained(prepare_study(config, 40))
    assert (data.frames.expert[0] == 1).mean() == pytest.approx(144 / 1920, abs=0.01)


def test_colours_in_one_file_are_one_channel(pictures, study):
    notices = import_folder(study, pictures(("R", "G", "B")), labels=["capsule"])
    assert study.cases[0].channels == {}
    assert "Pictures in colour are read in grey." in notices


def test_frames_of_two_channels_are_refused(pictures, study):
    root = pictures(("B", "Doppler"), files=2)
    refused(study, root, r"one channel; got 2 \(b, doppler\)", labels=["capsule"])


# --- splits


def fold(train, val):
    return {"train": train, "val": val}


THREE = ("a", "b", "c")
FOLDS = [fold(["b", "c"], ["a"]), fold(["a", "c"], ["b"]), fold(["a", "b"], ["c"])]


def write_splits(path, splits):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(splits))


@pytest.mark.parametrize("where", ["beside", "preprocessed", "variable", "named"])
def test_the_folds_are_those_of_splits_final(
    dataset, study, tmp_path, monkeypatch, where
):
    root = dataset(THREE, tests=["t"])
    folder = {
        "beside": root,
        "preprocessed": tmp_path / "nnUNet_preprocessed" / root.name,
        "variable": tmp_path / "mine" / root.name,
        "named": tmp_path,
    }[where]
    path = folder / "splits_final.json"
    write_splits(path, FOLDS)
    monkeypatch.setenv("nnUNet_preprocessed", str(tmp_path / "mine"))

    splits = path if where == "named" else None
    notices = import_folder(study, root, labels=["PZ"], splits=splits)

    assert [c.split for c in study.cases] == ["fold0", "fold1", "fold2", "test"]
    assert any("3 folds" in text for text in notices)
    for number, want in enumerate(FOLDS):
        train, val, _ = training_cases(study, number)
        assert [c.case for c in train] == want["train"]
        assert [c.case for c in val] == want["val"]


def test_one_split_alone_is_training_and_validation(dataset, study):
    root = dataset(THREE)
    write_splits(root / "splits_final.json", [fold(["a", "c"], ["b"])])
    import_folder(study, root, labels=["PZ"])
    assert [c.split for c in study.cases] == ["train", "val", "train"]


def test_a_case_always_learnt_from_and_one_never_used(dataset, study):
    root = dataset(("a", "b", "c", "d"))
    splits = [fold(["a", "c"], ["b"]), fold(["b", "c"], ["a"])]
    write_splits(root / "splits_final.json", splits)
    notices = import_folder(study, root, labels=["PZ"])
    for number, want in enumerate(splits):
        train, val, _ = training_cases(study, number)
        assert sorted(c.case for c in train) == want["train"]
        assert [c.case for c in val] == want["val"]
    assert study.cases[3].ignore
    assert any(text.startswith("'d' is in no fold") for text in notices)


def test_folds_can_be_left(dataset, study):
    root = dataset(THREE)
    write_splits(root / "splits_final.json", FOLDS)
    import_folder(study, root, labels=["PZ"], folds=False)
    assert {c.split for c in study.cases} == {""}


def test_a_study_that_is_split_keeps_its_parts(dataset, study, case_of):
    scan, expert, _ = case_of(0)
    study.add_case("old", "old", scan, expert, split="train")
    root = dataset(THREE)
    write_splits(root / "splits_final.json", FOLDS)
    notices = import_folder(study, root, labels=["PZ"])
    assert [c.split for c in study.cases] == ["train", "", "", ""]
    assert any("split already" in text for text in notices)


def test_a_pickle_is_not_opened(dataset, study):
    root = dataset(THREE)
    (root / "splits_final.pkl").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    notices = import_folder(study, root, labels=["PZ"])
    assert any("splits_final.pkl is a pickle" in text for text in notices)


@pytest.mark.parametrize(
    ("splits", "sentence"),
    [
        ([fold(["a", "x"], ["b"])], "cases of imagesTr alone; got 'x' in split 0"),
        ([fold(["a", "b"], ["b"])], "'b' in training and validation of split 0"),
        (
            [fold(["a"], ["b"]), fold(["a"], ["b"])],
            "'b' validated on in 2 and learnt from in 0 of 2 splits",
        ),
        (
            [fold(["a", "c"], ["b"]), fold(["b"], ["a"])],
            "'c' validated on in 0 and learnt from in 1 of 2 splits",
        ),
        ({"train": ["a"]}, "a list of splits; got dict"),
        ([fold(["a"], [])], "a list 'val' of cases in each split"),
        ([["a"]], "a list 'train' of cases in each split"),
    ],
)
def test_splits_that_make_no_sense_are_refused(dataset, study, splits, sentence):
    root = dataset(THREE)
    write_splits(root / "splits_final.json", splits)
    refused(study, root, sentence, labels=["PZ"])


def test_folds_that_part_a_patient_are_refused(dataset, study):
    root = dataset(("p1_a", "p1_b", "p2_a"))
    splits = [fold(["p1_b", "p2_a"], ["p1_a"]), fold(["p1_a"], ["p1_b", "p2_a"])]
    write_splits(root / "splits_final.json", splits)
    how = {"labels": ["PZ"], "patient_pattern": r"(p\d)"}
    refused(study, root, "'p1_a' and 'p1_b' of patient 'p1'", **how)
    import_folder(study, root, folds=False, **how)
    assert study.patients == ["p1", "p2"]


# --- what does not fit


def test_a_count_that_differs_is_refused(dataset, study):
    refused(study, dataset(numTraining=3), "3 cases .* got 2", labels=["PZ"])


def test_a_mask_that_is_missing_is_refused(dataset, study):
    root = dataset()
    (root / "labelsTr" / "p_2.nii.gz").unlink()
    refused(study, root, "its mask in labelsTr; got none for 'p_2'", labels=["PZ"])


def test_a_mask_without_an_image_is_refused(dataset, study):
    root = dataset()
    (root / "imagesTr" / "p_2_0000.nii.gz").unlink()
    (root / "imagesTr" / "p_2_0001.nii.gz").unlink()
    refused(study, root, r"its image; got p_2\.nii\.gz", labels=["PZ"])


@pytest.mark.parametrize("channel", [0, 1])
def test_a_channel_that_is_missing_is_refused(dataset, study, channel):
    root = dataset()
    (root / "imagesTr" / f"p_2_000{channel}.nii.gz").unlink()
    refused(study, root, r"2 channels .*\(t2, adc\).* for 'p_2'", labels=["PZ"])


def test_a_channel_too_many_is_refused(dataset, study):
    root = dataset()
    image = root / "imagesTr" / "p_2_0001.nii.gz"
    image.with_name("p_2_0002.nii.gz").write_bytes(image.read_bytes())
    refused(study, root, "2 channels .* got 3 for 'p_2'", labels=["PZ"])


def test_an_image_without_a_channel_is_refused(dataset, study):
    root = dataset()
    image = root / "imagesTr" / "p_2_0001.nii.gz"
    image.rename(image.with_name("p_2.nii.gz"))
    refused(study, root, r"as _0000\.nii\.gz; got p_2\.nii\.gz", labels=["PZ"])


def test_a_case_in_both_sets_is_refused(dataset, study):
    root = dataset(tests=["p_2"])
    refused(study, root, "'p_2' in imagesTr and imagesTs", labels=["PZ"])


def test_images_of_another_ending_are_named_and_hidden_files_are_not(dataset, study):
    root = dataset()
    (root / "imagesTr" / "notes.txt").write_text("x")
    (root / "imagesTr" / ".p_1_0000.nii.gz").write_text("x")
    (root / "imagesTr" / "p_3_0000.png").write_text("x")
    notices = import_folder(study, root, labels=["PZ"])
    assert len(study.cases) == 2
    assert any("1 files of imagesTr do not end in .nii.gz" in text for text in notices)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"file_ending": ".xyz"}, r"file_ending .* got '\.xyz'"),
        ({"file_ending": None}, "file_ending .* got ''"),
        ({"channel_names": {"0": "a", "2": "b"}}, "channel_names by number"),
        ({"channel_names": None}, "channel_names by number"),
        ({"labels": {"background": 0}}, "a label besides the background"),
        ({"labels": {"background": 0, "PZ": "one"}}, "whole numbers .* got 'one'"),
        ({"labels": {"background": 0, "PZ": 1, "ignore": 1}}, "ignore label of its"),
        ({"labels": None}, "labels by their names"),
        ({"numTraining": "two"}, "numTraining as a number"),
        ({"dataset": {"a": {"images": "x"}}}, "images and label for each case"),
    ],
)
def test_a_description_that_makes_no_sense_is_refused(dataset, study, change, sentence):
    refused(study, dataset(**change), sentence, labels=["PZ"])


def test_a_description_that_is_no_json_is_refused(dataset, study):
    root = dataset()
    (root / "dataset.json").write_text('{"labels": ')
    refused(study, root, "must be JSON")
    (root / "dataset.json").write_text("[]")
    refused(study, root, "settings by their names; got 'list'")


def test_a_choice_without_a_description_is_refused(dataset, study, tmp_path):
    root = dataset()
    (root / "dataset.json").unlink()
    refused(study, root, "no such file", labels=["PZ"])
    (tmp_path / "plain" / "images").mkdir(parents=True)
    refused(study, tmp_path / "plain", "got 'folders'", labels=["PZ"])


def test_a_name_that_no_study_can_hold_is_refused_before_it_is_written(dataset, study):
    refused(study, dataset(["p 1"]), "got 'p 1'", labels=["PZ"])


def test_an_annotated_test_case_is_read_as_it_was_written(dataset, study):
    import_folder(study, dataset(tests=["t"]), labels=["TZ"])
    case = next(case for case in study.cases if case.case == "t")
    scan = study.read_scan(case)
    done = study.add_masks("t", scan.like(labels_of(1)))
    assert study.read(done)[1].array.sum() == SHAPE[2]


def test_a_folder_right_below_the_root_has_no_splits_above_it(tmp_path, monkeypatch):
    monkeypatch.delenv("nnUNet_preprocessed", raising=False)
    assert find_splits(Path(tmp_path.anchor) / "no such data set") is None
