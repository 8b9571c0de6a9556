"""Training on volumes of several channels, in miniature."""

from pathlib import Path

import numpy as np
import pytest
import torch

from napari_microus.core.config import TrainConfig
from napari_microus.core.errors import ConfigError, InputError
from napari_microus.core.events import BatchReport, EpochReport, Notice
from napari_microus.core.io import write_volume
from napari_microus.core.library import load_model
from napari_microus.core.study import Study, check_study
from napari_microus.core.study.table import StudyCase
from napari_microus.core.train import resume, train
from napari_microus.core.train.fingerprint import Fingerprint
from napari_microus.core.volume import Volume

NAMES = ("t2w", "adc", "hbv")


def lesion(seed, shape=(12, 40, 40)):
    rng = np.random.default_rng(seed)
    z, y, x = np.mgrid[: shape[0], : shape[1], : shape[2]]
    middle = [rng.integers(n // 3, 2 * n // 3) for n in shape]
    distance = ((z - middle[0]) * 3) ** 2 + (y - middle[1]) ** 2 + (x - middle[2]) ** 2
    return (distance < (6 + seed % 3) ** 2).astype(np.uint8)


def write_case(folder, seed, *, grade=3, shape=(12, 40, 40), adc_shape=None):
    """A bright and dark lesion in noise, labelled as PI-CAI does."""
    rng = np.random.default_rng(seed)
    mask = lesion(seed, shape)
    bright = mask.astype(float)
    affine = np.diag([1.0, 1.0, 3.0, 1.0])
    files = {}
    for name, sign in zip(NAMES, (-1, -2, 2), strict=True):
        array = (100 + 30 * sign * bright + rng.normal(0, 10, shape)).astype(np.float32)
        if name == "adc" and adc_shape is not None:
            array = array[tuple(slice(n) for n in adc_shape)]
        scan = Volume(array, affine, is_oriented=adc_shape is None)
        files[name] = str(folder / f"p{seed}_{name}.nii.gz")
        write_volume(scan, files[name])
    label = str(folder / f"p{seed}.nii.gz")
    write_volume(Volume(mask * np.uint8(grade), affine, is_oriented=True), label)
    return StudyCase(
        f"p{seed}",
        f"p{seed}",
        files["t2w"],
        label,
        channels=files,
        label_rule="picai_cspca",
    )


@pytest.fixture
def volumes(tmp_path):
    """Make a study of volumes, one of each patient."""

    def make(count=4, **changes):
        study = Study(tmp_path / "mri")
        study.folder.mkdir()
        study.cases = [
            write_case(study.folder, seed, **changes) for seed in range(count)
        ]
        study.save()
        return study

    return make


@pytest.fixture
def settings(tmp_path):
    def make(study, **changes):
        values = {
            "output": str(tmp_path / "run"),
            "name": "lesion",
            "model": {
                "architecture": "basic_unet",
                "spatial_dims": 3,
                "baseline": {"image_size": 32, "in_channels": 3, "width": 4},
            },
            "data": {
                "study": str(study.folder),
                "channels": list(NAMES),
                "patches_per_case": 2,
                "foreground_share": 1.0,
                "cache": str(tmp_path / "cache"),
            },
            "loss": {"name": "size_smoothness", "dice_weight": 1.0},
            "optimizer": {"name": "adamw", "learning_rate": 3e-3},
            "augment": {
                "rotation_deg": 10.0,
                "flip_horizontal": 0.5,
                "contrast": 0.1,
                "brightness": 0.1,
            },
            "epochs": 2,
            "batch_size": 2,
            "seed": 3,
            "threads": 1,
            "device": "cpu",
            "precision": "32-true",
            "deterministic": True,
            "to_library": False,
        }
        return TrainConfig.from_dict(values).with_changes(changes)

    return make


def of(events, kind):
    return [event for event in events if isinstance(event, kind)]


def test_a_run_leaves_a_model_card_and_a_preview(volumes, settings, drain):
    events, result = drain(train(settings(volumes())))

    assert result.state == "finished"
    assert [event.batch for event in of(events, BatchReport)] == [1, 2, 3, 1, 2, 3]
    assert 0 <= result.dice <= 1
    loaded = load_model(result.model)
    with torch.no_grad():
        logits = loaded.network.eval()(torch.rand(1, 3, 32, 32, 32))
    assert logits.shape == (1, 1, 32, 32, 32)
    assert loaded.config["input"] == {
        "spatial_dims": 3,
        "patch_size": [32, 32, 32],
        "channels": list(NAMES),
        "spacing_mm": None,
        "overlap": 0.25,
    }
    assert "t2w, adc, hbv" in loaded.card
    assert "micro-ultrasound" not in loaded.card
    assert loaded.config["learnt_from"] == "3 volumes of 3 patients"
    with np.load(result.run / "preview.npz") as preview:
        assert preview["image"].shape == (40, 40)
        assert preview["expert"].any()
    notices = [event.message for event in of(events, Notice)]
    assert any("smaller than a patch of 32 × 32 × 32" in text for text in notices)


def test_it_learns_what_it_sees(volumes, settings, drain):
    config = settings(volumes(), epochs=30, validate_every=30)
    config = config.with_changes(
        {"optimizer": {"schedule": "constant", "learning_rate": 0.02}}
    )
    events, result = drain(train(config))
    losses = [event.train_loss for event in of(events, EpochReport)]
    assert losses[-1] < 0.6 * losses[0]
    assert result.dice > 0.5


def test_the_same_numbers_twice_and_after_a_stop(volumes, settings, drain, tmp_path):
    study = volumes()

    def weights(name, **changes):
        config = settings(study, output=str(tmp_path / name), **changes)
        _, result = drain(train(config))
        return load_model(result.model).weights_sha256

    whole = weights("a")
    assert weights("b") == whole
    assert weights("c", seed=4) != whole

    config = settings(study, output=str(tmp_path / "d"))
    work = train(config)
    for event in work:
        if isinstance(event, EpochReport):
            (tmp_path / "d" / "stop").touch()
    _, result = drain(resume(tmp_path / "d"))
    assert load_model(result.model).weights_sha256 == whole


def test_the_fingerprint_carries_every_channel(volumes, settings, drain):
    study = volumes()
    _, result = drain(train(settings(study, epochs=1)))
    kept = Fingerprint.read(result.run)
    case = kept.cases["p0"]
    assert {"channel t2w", "channel adc", "channel hbv", "label rule"} <= set(case)
    assert case["channel adc"] != case["channel hbv"]


def test_bfloat16_and_another_voxel_size(volumes, settings, drain):
    config = settings(volumes(), epochs=1, precision="bf16-mixed")
    config = config.with_changes({"data": {"spacing_mm": [3.0, 2.0, 2.0]}})
    events, result = drain(train(config))
    assert np.isfinite(of(events, EpochReport)[0].val_loss)
    assert load_model(result.model).config["input"]["spacing_mm"] == [3.0, 2.0, 2.0]


def test_a_missing_channel_is_named(volumes, settings, drain):
    study = volumes()
    broken = {k: v for k, v in study.cases[0].channels.items() if k != "adc"}
    study.cases = [
        StudyCase("p0", "p0", broken["t2w"], study.cases[0].expert, channels=broken),
        *study.cases[1:],
    ]
    study.save()
    with pytest.raises(InputError, match="must have the channels t2w, adc, hbv; got"):
        drain(train(settings(study)))


def test_channels_of_another_grid_are_brought_to_the_first(volumes, settings, drain):
    _, result = drain(train(settings(volumes(adc_shape=(12, 40, 36)), epochs=1)))
    assert result.state == "finished"


def test_channels_of_another_region_are_refused(volumes, settings, drain):
    config = settings(volumes(adc_shape=(12, 40, 16)))
    with pytest.raises(InputError, match=r"Case .p\d.: Channels must show one region"):
        drain(train(config))
    assert not (config.data.cache and list(Path(config.data.cache).glob("*")))


def test_masks_that_are_empty_everywhere_are_refused(volumes, settings, drain):
    with pytest.raises(InputError, match="Some training case must show the target"):
        drain(train(settings(volumes(grade=1))))  # indolent: outside the rule


def test_one_case_alone_is_refused(volumes, settings, drain):
    with pytest.raises(InputError, match="at least 2 patients"):
        drain(train(settings(volumes(count=1))))


def test_labels_outside_the_rule_are_named(volumes, settings, drain):
    with pytest.raises(InputError, match=r"rule picai_cspca .*; got 7\."):
        drain(train(settings(volumes(grade=7))))


def test_frames_with_settings_for_volumes(study_of, settings, drain):
    with pytest.raises(InputError, match="takes cases of that many; got one image"):
        drain(train(settings(study_of(3))))


def test_volumes_with_settings_for_frames(volumes, tiny, drain):
    config = tiny(data={"study": str(volumes().folder)})
    with pytest.raises(InputError, match="takes scans of one channel; got t2w"):
        drain(train(config))


def test_a_start_of_the_other_kind_is_refused(volumes, settings, drain, tmp_path):
    study = volumes()
    _, result = drain(train(settings(study, epochs=1)))
    frames = TrainConfig.preset("fine-tune", output=str(tmp_path / "two")).with_changes(
        {"start": str(result.model), "data": {"study": str(study.folder)}}
    )
    with pytest.raises(ConfigError, match="a model of volumes, for a recipe of frames"):
        drain(train(frames))


def test_a_check_reads_every_channel(volumes, drain):
    study = volumes(count=3)
    assert drain(check_study(study))[1] == []
    Path(study.cases[0].channels["adc"]).unlink()
    spoilt = Path(study.cases[1].channels["hbv"])
    spoilt.write_bytes(spoilt.read_bytes()[:500])
    constant = Volume(np.ones((12, 40, 40)), np.diag([1.0, 1.0, 3.0, 1.0]))
    write_volume(constant, study.cases[2].channels["adc"], overwrite=True)
    found = {finding.case: finding for finding in drain(check_study(study))[1]}
    assert {finding.level for finding in found.values()} == {"error"}
    assert set(found) == {"p0", "p1", "p2"}
    assert "p0_adc.nii.gz" in found["p0"].message
    assert "'adc'" in found["p2"].message


def test_no_study_is_reported(volumes, settings, drain):
    config = settings(volumes()).with_changes({"data": {"study": None}})
    with pytest.raises(InputError, match="Training on volumes needs a study"):
        drain(train(config))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"augment": {"elastic": 0.1}}, "Volumes have no augment.elastic"),
        ({"data": {"phantom_share": 0.2}}, "Volumes have no data.phantom_share"),
        ({"data": {"channels": ["t2w"]}}, "must name the network's 3 channels"),
        ({"model": {"baseline": {"patch_size": [20, 64, 64]}}}, "multiples of 16"),
        ({"model": {"baseline": {"patch_size": [16, 16, 16]}}}, "one of them 32"),
        (
            {
                "model": {
                    "architecture": "resnet50_unet",
                    "baseline": {"patch_size": [16, 32, 32]},
                }
            },
            "multiples of 32 with resnet50_unet",
        ),
        ({"model": {"architecture": "transunet", "spatial_dims": 3}}, "transunet"),
    ],
)
def test_settings_that_volumes_do_not_know(changes, words, volumes, settings):
    with pytest.raises(ConfigError, match=words):
        settings(volumes()).with_changes(changes)
