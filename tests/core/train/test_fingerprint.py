"""A run does not continue with, or pass for one of, other settings, data or code."""

import dataclasses
import hashlib
import json

import numpy as np
import pytest
import yaml

from napari_microus.core.errors import InputError
from napari_microus.core.io import write_mask
from napari_microus.core.runs.folder import read_status
from napari_microus.core.study import Study
from napari_microus.core.train import TrainConfig, resume, train
from napari_microus.core.train import fingerprint as fingerprint_module
from napari_microus.core.train.fingerprint import Fingerprint, take_fingerprint
from napari_microus.core.train.same_run import code_differences, differences, listed


@pytest.fixture
def run(study_of, tiny, drain):
    """A finished run on a study of six patients, one of them kept for the test."""
    study = study_of(6)
    parts = ["train"] * 4 + ["val", "test"]
    study.cases = [
        dataclasses.replace(case, split=part)
        for case, part in zip(study.cases, parts, strict=True)
    ]
    study.save()
    _, result = drain(train(tiny(epochs=1, data={"study": str(study.folder)})))
    return result.run


def study(run):
    config = TrainConfig.from_yaml(run / "config.yaml")
    return Study.open(config.data.study)


def resplit(run, case, part):
    found = study(run)
    found.cases = [
        dataclasses.replace(c, split=part) if c.case == case else c for c in found.cases
    ]
    found.save()


def refused(run, drain, **how):
    with pytest.raises(InputError) as caught:
        drain(resume(run, **how))
    return str(caught.value)


def test_an_unchanged_run_continues(run, drain):
    _, result = drain(resume(run))
    assert result.state == "finished"


def test_a_test_case_moved_into_training_is_named(run, drain):
    before = (run / "events.jsonl").read_bytes(), (run / "status.json").read_bytes()
    resplit(run, "case5", "train")
    said = refused(run, drain)
    assert "case case5 is learnt from and was not" in said
    assert "start a new run" in said
    # The run is as it was: finished, with its record.
    assert read_status(run).state == "finished"
    after = (run / "events.jsonl").read_bytes(), (run / "status.json").read_bytes()
    assert after == before


def test_a_case_taken_away_or_moved_is_named(run, drain):
    resplit(run, "case0", "val")
    assert "case case0 is validated on and was learnt from" in refused(run, drain)
    resplit(run, "case0", "test")
    assert "case case0 is no longer learnt from" in refused(run, drain)


def test_a_redrawn_mask_is_named(run, drain, case_of):
    found = study(run)
    mask = case_of(0)[1]
    drawn = mask.like(np.roll(mask.array, 3, axis=2))
    write_mask(drawn, found.path(found.cases[0].expert), overwrite=True)
    assert "the expert mask of case case0 changed" in refused(run, drain)


def test_an_edited_setting_is_named_and_a_device_is_none(run, drain):
    path = run / "config.yaml"
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    values["device"], values["threads"], values["name"] = "auto", 2, "other"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    drain(resume(run))
    values["optimizer"]["learning_rate"] = 0.5
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    assert "optimizer.learning_rate is 0.5 and was 0.001" in refused(run, drain)


def test_other_code_is_named_and_taken_only_when_asked(run, drain, monkeypatch):
    monkeypatch.setattr(fingerprint_module, "package_version", lambda: "99.0")
    said = refused(run, drain)
    assert "napari-microus is 99.0 and was" in said
    assert "--unchecked" in said
    _, result = drain(resume(run, unchecked=True))
    card = (result.model / "model_card.md").read_text(encoding="utf-8")
    assert "went on with other code" in card
    # Both codes belong to it from now on: neither is that of the whole run.
    assert code_differences(Fingerprint.read(run), Fingerprint.read(run))


def test_settings_and_data_are_checked_even_then(run, drain):
    resplit(run, "case5", "train")
    assert "case5" in refused(run, drain, unchecked=True)


@pytest.mark.parametrize("content", [None, "{", '{"format": 2}'])
def test_a_run_without_a_fingerprint_continues_only_when_asked(run, drain, content):
    path = run / "fingerprint.json"
    path.unlink()
    if content is not None:
        path.write_text(content)
    assert "must carry the fingerprint" in refused(run, drain)
    drain(resume(run, unchecked=True))


def test_an_edited_fingerprint_is_none(run, drain):
    path = run / "fingerprint.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    values["cases"].pop("case0")
    path.write_text(json.dumps(values))
    assert "must carry the fingerprint" in refused(run, drain)


def test_card_and_model_carry_the_digest_and_no_name_of_a_case(run):
    found = Fingerprint.read(run)
    # The image's digest is that of its file, by any other program too.
    case = study(run).cases[0]
    content = study(run).path(case.image).read_bytes()
    assert found.cases["case0"]["image"] == hashlib.sha256(content).hexdigest()
    assert found.images("train", "val").keys() == {
        case["image"] for case in found.cases.values()
    }
    assert "case5" not in found.cases
    card = (run / "model" / "model_card.md").read_text(encoding="utf-8")
    config = (run / "model" / "config.yaml").read_text(encoding="utf-8")
    assert f"fingerprint: sha256 {found.digest}" in card
    assert yaml.safe_load(config)["fingerprint"]["fingerprint"] == found.digest
    assert "case0" not in card + config


def test_what_a_run_starts_from_counts(run, tiny, drain):
    def taken(**changes):
        return drain(take_fingerprint(tiny(**changes)))[1]

    plain, tuned = taken(), taken(start=str(run / "model"))
    assert "the start model's weights changed" in differences(tuned, plain)
    assert differences(plain, taken(output="elsewhere", device="auto")) == []


def test_many_differences_are_counted():
    assert listed(["a", "b", "c", "d", "e"]) == "a; b; c and 2 more"
