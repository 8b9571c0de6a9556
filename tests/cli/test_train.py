import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from napari_microus.cli.train import parse_settings
from napari_microus.core.errors import ConfigError
from napari_microus.core.train import TrainConfig, preset_names
from tiny_network import TINY


def run(*arguments, cwd):
    command = [sys.executable, "-m", "napari_microus", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd)


RUN = {
    "name": "tiny",
    "model": {
        "architecture": "transunet",
        "transunet": TINY,
    },
    "data": {"phantom_frames": 8, "phantom_val_cases": 1, "phantom_val_frames": 1},
    "epochs": 1,
    "batch_size": 4,
    "threads": 1,
    "device": "cpu",
    "to_library": False,
}


@pytest.mark.slow
def test_training_prints_events_and_can_be_resumed(
    tmp_path, run_command, monkeypatch, capsys
):
    settings = tmp_path / "tiny.yaml"
    RUN["data"]["cache"] = str(tmp_path / "cache")
    settings.write_text(yaml.safe_dump(RUN))
    done = run(
        *("train", "--preset", settings, "-o", "r", "--progress", "json"),
        *("--set", "optimizer.learning_rate=0.002"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    kinds = [event["event"] for event in events]
    assert kinds[-1] == "Finished"
    assert {"RunStarted", "BatchReport", "EpochReport"} <= set(kinds)
    assert Path(tmp_path / "r" / "model" / "model.safetensors").exists()

    monkeypatch.chdir(tmp_path)
    assert run_command("train", "--preset", settings, "-o", "r") == 2
    assert "There is a run in r already" in capsys.readouterr().err

    again = run("resume", "r", "--progress", "json", cwd=tmp_path)
    assert again.returncode == 0, again.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "--preset", "papre"], "There is no preset 'papre'"),
        (["train", "--set", "epochs=0"], "epochs is 0, and has to be at least 1"),
        (["train", "--set", "optimizer.rate=1"], "Did you mean"),
        (["train", "--model", "huge"], "small, light, medium, base"),
        (["resume", "nowhere"], "no folder of a run"),
        (["study", "check", "nowhere"], "manifest.csv"),
        (["study", "import", "s", "nowhere"], "No scans and masks were found"),
    ],
)
def test_mistakes_end_with_one_sentence(tmp_path, arguments, words):
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()


def test_settings_are_read_as_nested_yaml():
    assert parse_settings(["a.b=1e-3", "a.c=[1, 2]", "d=x"]) == {
        "a": {"b": "1e-3", "c": [1, 2]},
        "d": "x",
    }
    with pytest.raises(ConfigError, match="name=value; got 'epochs'"):
        parse_settings(["epochs"])


def test_every_preset_is_a_whole_configuration():
    published = {"learning_rate": 0.01, "momentum": 0.9, "weight_decay": 1e-4}
    for name in preset_names():
        config = TrainConfig.preset(name)
        assert TrainConfig.from_dict(config.to_dict()) == config
    for name in ("paper", "microsegnet", "focal", "paper-focal-as-published"):
        config = TrainConfig.preset(name)
        found = config.optimizer.to_dict()
        assert published.items() <= found.items()
        assert (config.optimizer.schedule, config.optimizer.power) == ("poly", 0.9)
        assert (config.batch_size, config.epochs) == (8, 10)
        assert config.model.image_size == 224
        assert config.model.transunet.hidden_size == 768
