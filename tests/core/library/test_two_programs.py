"""Two programs put a model under one name: the one or the other is there, whole."""

import subprocess
import sys

import pytest
import torch

from napari_microus.core.errors import OutputError
from napari_microus.core.library import read_info, read_model, save_model
from napari_microus.core.library.store import copy_model
from napari_microus.core.models import create_model
from tiny_network import TINY

WRITING = """
import sys
import torch
from napari_microus.core.config import ModelConfig
from napari_microus.core.errors import OutputError
from napari_microus.core.library import save_model
from napari_microus.core.models import create_model

folder, value, options = sys.argv[1], float(sys.argv[2]), eval(sys.argv[3])
config = ModelConfig.from_dict({"architecture": "transunet", "transunet": options})
network = create_model(config)
with torch.no_grad():
    for weights in network.state_dict().values():
        weights.fill_(value)
made = {"architecture": "transunet", "options": options, "version": str(value)}
print("ready", flush=True)
sys.stdin.readline()
refused = 0
for _ in range(30):
    try:
        save_model(folder, network, config=made, card="", metrics={}, overwrite=True)
    except OutputError:
        refused += 1
print(refused, flush=True)
"""


def test_the_last_of_two_writers_is_there_whole(tmp_path):
    folder = tmp_path / "shared"
    children = [
        subprocess.Popen(
            [sys.executable, "-c", WRITING, str(folder), value, repr(TINY)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for value in ("1.0", "2.0")
    ]
    for child in children:
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.stdin.write("\n")
        child.stdin.flush()
    refused = [int(child.communicate(timeout=120)[0]) for child in children]

    assert [child.returncode for child in children] == [0, 0]
    assert max(refused) < 30
    model = read_model(folder)
    assert read_info(folder).problem == ""
    values = {float(w.float().mean()) for w in model.network.state_dict().values()}
    assert values == {float(model.version)}
    assert [path.name for path in tmp_path.iterdir()] == ["shared"]


def test_a_name_that_was_taken_meanwhile_is_refused(tmp_path, monkeypatch):
    from napari_microus.core.config import ModelConfig

    config = ModelConfig.from_dict({"architecture": "transunet", "transunet": TINY})
    stated = {"architecture": "transunet", "options": TINY}
    for name in ("ours", "theirs"):
        save_model(
            tmp_path / name, create_model(config), config=stated, card=name, metrics={}
        )
    with pytest.raises(OutputError):
        copy_model(tmp_path / "ours", tmp_path / "theirs")
    assert read_info(tmp_path / "theirs").card == "theirs"
    assert torch.isfinite(
        next(read_model(tmp_path / "ours").network.parameters())
    ).all()
