"""A cross-validation in one call: kept, continued, summed up, and used as one."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_microus.core.errors import ConfigError, InputError
from napari_microus.core.events import Notice
from napari_microus.core.library import load_model
from napari_microus.core.models import logits_of
from napari_microus.core.predict import predict
from napari_microus.core.runs.folder import read_status, request
from napari_microus.core.study import Study, split_in_folds
from napari_microus.core.train import train
from napari_microus.core.train.checkpoint import load_checkpoint
from napari_microus.core.train.folds import train_folds
from napari_microus.core.volume import Volume


@pytest.fixture
def config(study_of, tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_MICROUS_MODELS", str(tmp_path / "library"))
    study = study_of(6)
    split_in_folds(study, 2)
    return tiny(epochs=1, data={"study": str(study.folder)}, to_library=True)


def best_of(run):
    return load_checkpoint(run / "checkpoints" / "best.ckpt")


def test_every_patient_is_measured_by_the_fold_that_has_not_seen_it(config, drain):
    events, found = drain(train_folds(config))

    folder = Path(config.output)
    patients = {case.case: case.patient for case in Study.open(config.data.study).cases}
    rows = [
        row
        for fold in (0, 1)
        for row in load_checkpoint(folder / f"fold{fold}/checkpoints/best.ckpt")[
            "scores"
        ]
    ]
    assert sorted(row["case"] for row in rows) == sorted(patients)
    stated = json.loads((folder / "folds.json").read_text(encoding="utf-8"))
    by_hand = np.mean([row["dice"] for row in rows])  # a case for each patient
    assert stated["all"]["dice"] == pytest.approx(by_hand)
    assert stated["all"]["patients"] == found.dice.patients == 6
    assert stated["folds"]["0"]["patients"] + stated["folds"]["1"]["patients"] == 6
    assert stated["folds"]["0"]["dice_interval"] is None  # of three patients
    means = [stated["folds"][fold]["dice"] for fold in ("0", "1")]
    # Of two figures: their distance over √2.
    spread = abs(means[0] - means[1]) / 2**0.5
    assert stated["spread"]["dice"] == pytest.approx(spread)
    for name, of in (
        ("glands", "glands"),
        ("glands_lost", "lost"),
        ("false_contours", "false_contours"),
    ):
        assert stated["all"][name] == sum(row[of] for row in rows)
    low, high = stated["all"]["dice_interval"]
    assert low < by_hand < high
    table = (folder / "folds.md").read_text(encoding="utf-8")
    assert "3 patients, no interval" in table
    assert f"| **all** | 6 | 6 | {by_hand:.4f} (" in table
    assert f"Standard deviation between folds: DSC {spread:.4f}, HD95 " in table
    lost, false = stated["all"]["glands_lost"], stated["all"]["false_contours"]
    assert f"| {lost} of 12 frames | {false} of 0 frames |" in table
    assert any("6 patients" in e.message for e in events if isinstance(e, Notice))


def test_the_ensemble_answers_with_the_mean_probability(config, drain, tmp_path):
    _, found = drain(train_folds(config))

    ensemble = load_model(found.model)
    members = [load_model(Path(config.output) / f"fold{n}/model") for n in (0, 1)]
    frames = torch.rand(2, 1, config.model.image_size, config.model.image_size)
    with torch.inference_mode():
        mean = sum(torch.sigmoid(logits_of(m.network(frames))) for m in members) / 2
        answered = torch.sigmoid(ensemble.network(frames))
    torch.testing.assert_close(answered, mean)
    scan = Volume.from_spacing(
        np.random.default_rng(0).integers(0, 255, (2, 50, 60), np.uint8), (1, 0.1, 0.1)
    )
    (_, one), (_, other) = (
        drain(predict(models, scan, precision="float32"))
        for models in (ensemble, members)
    )
    np.testing.assert_allclose(
        one.probability.array, other.probability.array, atol=1e-6
    )
    assert "one for each fold" in ensemble.card
    with pytest.raises(ConfigError, match="must be one network; got an ensemble"):
        drain(
            train(
                dataclasses.replace(
                    config, start=str(found.model), output=str(tmp_path / "x")
                )
            )
        )


def test_what_is_done_is_kept_and_what_was_stopped_continues(config, drain):
    folder = Path(config.output)
    work = train_folds(config)
    for event in work:
        if isinstance(event, Notice) and event.message.startswith("Fold 1"):
            break
    next(work)
    request(folder / "fold1", "stop")
    _, stopped = drain(work)
    assert stopped.state == "stopped"
    assert not (folder / "folds.json").exists()
    kept = (folder / "fold0/checkpoints/best.ckpt").read_bytes()

    events, found = drain(train_folds(config))

    assert found.state == "finished"
    assert (folder / "fold0/checkpoints/best.ckpt").read_bytes() == kept
    assert read_status(folder / "fold1").state == "finished"
    stated = [e.message for e in events if isinstance(e, Notice)]
    assert "fold0 is finished and was kept." in stated


def test_runs_made_otherwise_are_refused(config, drain):
    drain(train_folds(config))
    other = dataclasses.replace(config, batch_size=config.batch_size + 1)
    with pytest.raises(
        InputError, match=r"settings and data asked for.*fold0.*batch_size is"
    ):
        drain(train_folds(other))


def test_a_study_without_folds_and_a_chosen_fold_are_refused(
    config, study_of, drain, monkeypatch
):
    chosen = dataclasses.replace(config, data=dataclasses.replace(config.data, fold=1))
    with pytest.raises(ConfigError, match=r"got data\.fold 1"):
        drain(train_folds(chosen))
    phantoms = dataclasses.replace(config.data, study=None)
    with pytest.raises(ConfigError, match="got phantoms"):
        drain(train_folds(dataclasses.replace(config, data=phantoms)))
    study = Study.open(config.data.study)
    study.cases = [dataclasses.replace(c, split="train") for c in study.cases]
    study.save()
    with pytest.raises(InputError, match="got 0 in"):
        drain(train_folds(config))
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="by one process"):
        drain(train_folds(config))
