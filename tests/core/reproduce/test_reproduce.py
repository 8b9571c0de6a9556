"""The whole comparison on a miniature of the public dataset, made of phantoms."""

import csv
import dataclasses
import math
import shutil

import numpy as np
import pytest
import yaml

import tiny_network
from napari_microus.core.errors import InputError
from napari_microus.core.events import BatchReport, drain
from napari_microus.core.io import read_volume, write_mask, write_volume
from napari_microus.core.phantom import make_phantom
from napari_microus.core.reproduce import reproduce
from napari_microus.core.study import Study, import_folder

TINY = {
    "epochs": 2,
    "batch_size": 4,
    "device": "cpu",
    "precision": "32-true",
    "model": {
        "architecture": "transunet",
        "transunet": {
            **tiny_network.TINY,
            "image_size": 64,
            "mlp_dim": 32,
            "width": 8,
            "bottleneck_expansion": 2,
            "decoder_channels": [16, 8, 8, 4],
        },
    },
}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Three training and two test patients in the published layout."""
    root = tmp_path_factory.mktemp("micro_us")
    numbers = [("train", 1), ("train", 2), ("train", 3), ("test", 1), ("test", 2)]
    for seed, (split, number) in enumerate(numbers):
        case = make_phantom(seed, frames=6, shape=(120, 172))
        tag = f"{split}_{number:02}.nii.gz"
        scans = root / split / "micro_ultrasound_scans"
        write_volume(case.scan, scans / f"microUS_{tag}")
        expert = root / split / "expert_annotations" / f"expert_annotation_{tag}"
        write_mask(case.expert, expert)
        if split == "train":
            other = root / split / "non_expert_annotations"
            write_mask(case.nonexpert, other / f"nonexpert_annotation_{tag}")
        else:
            other = root / split / "master_student_annotations"
            write_mask(case.nonexpert, other / f"master_student_annotation_{tag}")
    return root


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_report_sets_recipes_and_annotators_side_by_side(dataset, tmp_path):
    changes = TINY | {"data": {"cache": str(tmp_path / "cache")}}
    presets = ("microsegnet", "paper")

    report = drain(
        reproduce(dataset, tmp_path / "out", presets=presets, changes=changes)
    )

    text = report.read_text(encoding="utf-8")
    (line,) = [
        one for one in text.splitlines() if one.startswith("| microsegnet | 2 |")
    ]
    cells = line.split(" | ")
    assert (cells[4], cells[6]) == ("0.939", "2.02")  # published, beside ours
    assert "(annotator)" in text
    assert "2 patients, no interval: it needs 5" in text
    assert "Changed in every recipe" in text
    assert "## What differs from the papers" in text
    assert text.splitlines()[0].endswith("from random weights")
    assert "1 of 3 patients are held out of each training" in text
    assert "epochs is 2, the paper's 10" in text
    losses = rows(tmp_path / "out" / "table1.csv")
    assert [row["epoch"] for row in losses] == [str(n) for n in range(1, 11)]
    ours = [[row[name] for row in losses] for name in presets]
    assert all(math.isfinite(float(loss)) for column in ours for loss in column[:2])
    assert all(column[2:] == [""] * 8 for column in ours)
    # Table 1 of the paper, whole
    assert float(losses[0]["paper (published)"]) == 0.212186
    assert float(losses[9]["paper (published)"]) == 0.040419
    scores = rows(tmp_path / "out" / "table2.csv")
    who = {row["who"] for row in scores}
    assert {"microsegnet", "paper"} < who
    assert len(who) == 3
    assert len(scores) == 6  # two recipes and one annotator on two test patients
    annotator = [row for row in scores if row["who"] not in presets]
    assert all(0.8 < float(row["dice"]) < 1 for row in annotator)
    uses = (
        (tmp_path / "out" / "study" / "test_use.jsonl")
        .read_text(encoding="utf-8")
        .splitlines()
    )
    assert len(uses) == 1

    # A second call trains nothing again and reports the same.
    stamp = (tmp_path / "out" / "runs" / "paper" / "curves.csv").stat().st_mtime_ns
    again = drain(
        reproduce(dataset, tmp_path / "out", presets=presets, changes=changes)
    )
    assert again.read_text(encoding="utf-8") == text
    kept = (tmp_path / "out" / "runs" / "paper" / "curves.csv").stat().st_mtime_ns
    assert kept == stamp


@pytest.mark.slow
def test_a_study_in_folds_is_measured_on_every_patient_once(dataset, tmp_path):
    """Five patients, one of them with two scans, in two folds."""
    study = Study.create(tmp_path / "study")
    import_folder(study, dataset)
    study.cases = [
        dataclasses.replace(case, split=f"fold{number % 2}", patient=f"p{number}")
        for number, case in enumerate(study.cases)
    ]
    study.cases.append(dataclasses.replace(study.cases[1], case="twin"))
    study.save()
    changes = TINY | {"epochs": 1, "data": {"cache": str(tmp_path / "cache")}}

    wide = {"loss": {"kernel_sizes": [8, 6, 4, 2]}}
    report = drain(
        reproduce(
            study.folder,
            tmp_path / "out",
            presets=["paper"],
            changes=changes,
            variations=[wide],
        )
    )

    runs = {path.parent.name for path in (tmp_path / "out").glob("runs/*/config.yaml")}
    wide_name = "paper-kernel_sizes-8-6-4-2"
    recipes = ("paper", wide_name)
    assert runs == {f"{name}-fold{fold}" for name in recipes for fold in (0, 1)}
    for name, sizes in (("paper", [4, 3, 2, 1]), (wide_name, [8, 6, 4, 2])):
        config = (
            tmp_path / "out" / "runs" / f"{name}-fold1" / "config.yaml"
        ).read_text(encoding="utf-8")
        assert yaml.safe_load(config)["loss"]["kernel_sizes"] == sizes
    scores = [
        row for row in rows(tmp_path / "out" / "table2.csv") if row["who"] == "paper"
    ]
    assert sorted(row["case"] for row in scores) == sorted(c.case for c in study.cases)
    # By hand: the patient with two cases counts once.
    means = {}
    for row in scores:
        means.setdefault(row["patient"], []).append(float(row["dice"]))
    expected = np.mean([np.mean(values) for values in means.values()])
    text = report.read_text(encoding="utf-8")
    assert f"| paper | 5 | 6 | {expected:.4f} (" in text
    assert "held-out cases" in text
    assert "## Fold by fold" in text
    assert not (study.folder / "test_use.jsonl").exists()


def edited(folder, case, line_of):
    """Change a case's line of a study's manifest."""
    path = folder / "manifest.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    lines = [line_of(line) if line.startswith(f"{case},") else line for line in lines]
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.slow
def test_a_finished_run_is_used_again_for_the_same_settings_and_data_only(
    dataset, tmp_path
):
    out = tmp_path / "out"
    changes = TINY | {"epochs": 1, "data": {"cache": str(tmp_path / "cache")}}

    def call(source=dataset, **more):
        return drain(reproduce(source, out, presets=["paper"], changes=changes | more))

    call()
    report = (out / "report.md").read_bytes()

    with pytest.raises(InputError, match="epochs is 2 and was 1"):
        call(epochs=2)

    other = shutil.copytree(dataset, tmp_path / "other")
    scan = other / "test" / "micro_ultrasound_scans" / "microUS_test_01.nii.gz"
    brighter = read_volume(scan)
    brighter.array[0] += 1
    write_volume(brighter, scan, overwrite=True)
    with pytest.raises(InputError, match="'test_01' has another image file"):
        call(other)
    scan.unlink()
    with pytest.raises(InputError, match="it also has 'test_01'"):
        call(other)

    # What was measured on before is learnt from now.
    edited(out / "study", "test_01", lambda line: line.replace(",test,", ",train,"))
    with pytest.raises(InputError, match="case test_01 is learnt from and was not"):
        call()
    edited(out / "study", "test_01", lambda line: line.replace(",train,", ",test,"))

    # A copy of a test scan under another name is the same scan.
    edited(
        out / "study",
        "train_01",
        lambda line: line.replace(
            "train/micro_ultrasound_scans/microUS_train_01",
            "test/micro_ultrasound_scans/microUS_test_02",
        ),
    )
    with pytest.raises(InputError, match="'test_02', whose image is that of 'train_01"):
        call(out / "study")
    assert (out / "report.md").read_bytes() == report


def test_no_recipe_is_refused(tmp_path):
    with pytest.raises(InputError, match="at least one recipe"):
        drain(reproduce(tmp_path, tmp_path / "out", presets=()))


@pytest.mark.slow
def test_rates_are_tried_alike_and_every_seed_is_measured(dataset, tmp_path):
    out = tmp_path / "out"
    changes = TINY | {"epochs": 1, "data": {"cache": str(tmp_path / "cache")}}
    report = drain(
        reproduce(
            dataset,
            out,
            presets=["paper", "focal"],
            changes=changes,
            rates=[0.01, 0.05],
            seeds=2,
        )
    )
    runs = {path.parent.name for path in out.glob("runs/*/config.yaml")}
    for name in ("paper", "focal"):
        tried = {f"{name}-lr{rate}-seed0" for rate in ("0.01", "0.05")}
        assert tried < runs
        (again,) = {one for one in runs if one.startswith(name)} - tried
        assert again.endswith("-seed1")
    scores = [row for row in rows(out / "table2.csv") if row["who"] == "paper"]
    assert {(row["case"], row["seed"]) for row in scores} == {
        (case, seed) for case in ("test_01", "test_02") for seed in "01"
    }
    text = report.read_text(encoding="utf-8")
    assert "## Learning rates tried" in text
    assert (
        "The learning rate is the best of 0.01, 0.05 by DSC on the validation" in text
    )
    assert "## Spread over seeds" in text


@pytest.mark.slow
def test_who_stops_a_run_stops_the_comparison(dataset, tmp_path):
    flag = tmp_path / "out" / "runs" / "paper" / "stop"
    changes = TINY | {"data": {"cache": str(tmp_path / "cache")}}
    ended = []

    def stopped():
        ended.append(
            (
                yield from reproduce(
                    dataset,
                    tmp_path / "out",
                    presets=["paper", "focal"],
                    changes=changes,
                )
            )
        )

    states = []
    for event in stopped():
        if isinstance(event, BatchReport):
            flag.touch()
        states.append(getattr(event, "state", None))
    assert ended == [None]
    assert states[-1] == "stopped"
    assert not (tmp_path / "out" / "runs" / "focal").exists()
    assert not (tmp_path / "out" / "report.md").exists()
