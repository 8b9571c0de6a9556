import csv
import json
from pathlib import Path

import pytest
import torch

from napari_microus.core.errors import ConfigError, OutputError
from napari_microus.core.events import BatchReport, EpochReport, Finished, RunStarted
from napari_microus.core.library import load_model
from napari_microus.core.train import train


def of(events, kind):
    return [event for event in events if isinstance(event, kind)]


def test_a_run_reports_and_leaves_a_model_that_predicts(tiny, drain):
    events, result = drain(train(tiny()))

    (started,) = of(events, RunStarted)
    assert started.batches_per_epoch == 3  # 12 frames in batches of 4
    assert 0.5 < started.human_dice < 1
    assert [e.batch for e in of(events, BatchReport)] == [1, 2, 3, 1, 2, 3]
    assert all(e.gamma > 0 for e in of(events, BatchReport))
    assert [e.epoch for e in of(events, EpochReport)] == [0, 1]
    assert isinstance(events[-1], Finished)
    assert result.state == "finished"
    model = load_model(result.model)
    with torch.no_grad():
        assert model.network(torch.rand(1, 1, 32, 32)).logits.shape == (1, 1, 32, 32)


def test_the_run_folder_holds_what_its_documentation_names(tiny, drain):
    events, result = drain(train(tiny()))
    run = result.run

    lines = (run / "events.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(events)
    assert json.loads(lines[-1])["event"] == "Finished"
    rows = list(
        csv.DictReader((run / "curves.csv").read_text(encoding="utf-8").splitlines())
    )
    assert [row["epoch"] for row in rows] == ["0", "1"]
    names = {path.name for path in run.iterdir()}
    assert {"config.yaml", "status.json", "curves.png", "preview.npz"} <= names
    assert {p.name for p in (run / "checkpoints").iterdir()} == {
        "last.ckpt",
        "best.ckpt",
    }
    card = (run / "model" / "model_card.md").read_text(encoding="utf-8")
    assert "Not for clinical use" in card
    assert "- glands lost: " in card
    metrics = json.loads((run / "model" / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["validation_glands"] > 0
    assert str(run.parent) not in card + (run / "model" / "config.yaml").read_text(
        encoding="utf-8"
    )


def test_one_seed_gives_one_run_and_another_seed_another(tiny, drain, tmp_path):
    def losses(name, **changes):
        events, _ = drain(train(tiny(output=str(tmp_path / name), **changes)))
        return [event.loss for event in of(events, BatchReport)]

    first = losses("a")
    assert losses("b") == first
    assert losses("c", seed=4) != first


def test_a_tiny_network_learns_its_frames(tiny, drain):
    changes = {"augment": {"rotation_deg": 0.0, "speckle": 0.0}, "epochs": 30}
    changes |= {"validate_every": 30}
    settings = tiny(**changes).with_changes(
        {"optimizer": {"learning_rate": 0.01, "schedule": "constant", "ema": 0.0}}
    )
    events, _ = drain(train(settings))
    losses = [event.train_loss for event in of(events, EpochReport)]
    assert losses[-1] < 0.7 * losses[0]


def test_micro_batches_take_the_step_of_the_whole_batch(tiny, drain, tmp_path):
    # Without deep supervision's batch-wide gamma the loss is a mean over frames;
    # batch normalisation is the only part left that sees the micro-batch.
    def last_loss(name, micro_batch):
        config = tiny(
            output=str(tmp_path / name),
            micro_batch=micro_batch,
            loss={"name": "ag_bce"},
        )
        events, _ = drain(train(config))
        return of(events, BatchReport)[0].loss

    assert last_loss("whole", None) == pytest.approx(last_loss("parts", 2), rel=0.02)


def test_the_run_ends_early_when_validation_gains_no_more(tiny, drain):
    # At a rate of nearly nothing only the normalisation still moves.
    config = tiny(epochs=9, early_stop=2).with_changes(
        {"optimizer": {"learning_rate": 1e-12, "ema": 0.0}}
    )
    events, result = drain(train(config))
    assert len(of(events, EpochReport)) == result.best_epoch + 3


def test_a_second_run_in_a_folder_is_refused(tiny, drain):
    drain(train(tiny(epochs=1)))
    with pytest.raises(OutputError, match="needs a folder of its own"):
        next(train(tiny()))


def test_an_unwritable_folder_is_named(tiny, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="must be writable"):
        next(train(tiny(output=str(tmp_path / "file" / "run"))))


def test_a_frozen_module_keeps_its_weights(tiny, drain, tmp_path):
    stem = "transformer.embeddings.hybrid_model.root"
    frozen = tiny(optimizer={"freeze": [stem]}, epochs=1)
    _, result = drain(train(frozen))
    _, longer = drain(
        train(frozen.with_changes({"output": str(tmp_path / "b"), "epochs": 2}))
    )
    first = load_model(result.model).network.state_dict()
    second = load_model(longer.model).network.state_dict()
    same = {name for name in first if torch.equal(first[name], second[name])}
    assert {name for name in first if name.startswith(stem)} <= same
    assert any("decoder" in name for name in set(first) - same)


def test_freezing_what_is_not_there_names_what_is(tiny):
    with pytest.raises(ConfigError, match=r"'steem'.*transformer"):
        list(train(tiny(optimizer={"freeze": ["steem"]})))


def test_fine_tuning_starts_from_the_weights_of_a_model(tiny, drain, tmp_path):
    _, first = drain(train(tiny(epochs=1, opening=7)))
    config = tiny(output=str(tmp_path / "tuned"), start=str(first.model), epochs=1)
    slow = {"learning_rate": 1e-12, "ema": 0.0, "layer_decay": 0.8}
    _, tuned = drain(train(config.with_changes({"optimizer": slow})))
    assert load_model(tuned.model).config["predict"] == {
        "opening": 7,
        "outline": "raw",
        "min_confidence": 0.0,
        "along_sweep": False,
    }
    old = load_model(first.model).network
    new = load_model(tuned.model).network
    for before, after in zip(old.parameters(), new.parameters(), strict=True):
        torch.testing.assert_close(before, after, atol=1e-6, rtol=1e-5)


def test_a_finished_model_enters_the_library_under_a_free_name(
    tiny, drain, tmp_path, monkeypatch
):
    monkeypatch.setenv("NAPARI_MICROUS_MODELS", str(tmp_path / "library"))
    found = []
    for name in ("a", "b"):
        config = tiny(output=str(tmp_path / name), to_library=True, epochs=1)
        found.append(Path(drain(train(config))[1].model).name)
    assert found == ["tiny", "tiny-2"]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed"])
def test_a_gpu_trains_in_every_precision(tiny, drain, precision):
    config = tiny(device="cuda", precision=precision, channels_last=True)
    events, result = drain(train(config))
    assert of(events, RunStarted)[0].device.startswith("cuda")
    assert of(events, BatchReport)[-1].memory_mib > 0
    assert result.state == "finished"
