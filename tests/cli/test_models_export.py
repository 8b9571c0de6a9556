import pytest
import torch
from typer.testing import CliRunner

import napari_microus.cli.commands  # noqa: F401  registers the commands
from napari_microus.cli import app
from napari_microus.core import library
from napari_microus.core.config import ModelConfig
from napari_microus.core.errors import (
    CheckpointError,
    ConfigError,
    InputError,
    OutputError,
)
from napari_microus.core.library import save_model
from napari_microus.core.models import create_model
from tiny_network import TINY


def run(*words):
    return CliRunner().invoke(app, list(map(str, words)), catch_exceptions=False)


@pytest.fixture
def network(tmp_path, monkeypatch):
    """The network of a model 'tiny' in the library."""
    monkeypatch.setenv("NAPARI_MICROUS_MODELS", str(tmp_path / "models"))
    config = {"architecture": "transunet", "transunet": TINY}
    network = create_model(ModelConfig.from_dict(config)).eval()
    described = {"architecture": "transunet", "options": TINY, "input": {"size": 32}}
    parts = {"config": described, "card": "# Tiny", "metrics": {}}
    save_model(tmp_path / "models" / "tiny", network, **parts)
    return network


def test_the_suffix_says_what_is_written(network, tmp_path):
    for name in ("a.onnx", "b.pt", "bundle"):
        done = run("models", "export", "tiny", tmp_path / name)
        assert done.stdout.strip() == str(tmp_path / name)
    frames = torch.rand(1, 1, 32, 32)
    with torch.no_grad():
        expected = network(frames).logits
        found = torch.jit.load(tmp_path / "b.pt")(frames)
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=0)
    assert (tmp_path / "a.onnx").stat().st_size > 1000
    assert (tmp_path / "bundle" / "configs" / "inference.json").exists()


@pytest.mark.usefixtures("network")
def test_mistakes_are_named(tmp_path):
    (tmp_path / "mine.pt").touch()
    with pytest.raises(OutputError, match="already exists"):
        run("models", "export", "tiny", tmp_path / "mine.pt")
    with pytest.raises(InputError, match=r"\.onnx or \.pt; got 'a\.pkl'"):
        run("models", "export", "tiny", tmp_path / "a.pkl")
    with pytest.raises(ConfigError, match="got 'huge'"):
        run("models", "export", "huge", tmp_path / "a.pt")


@pytest.mark.usefixtures("network")
def test_a_folder_is_imported_whole_and_nothing_is_written_over(tmp_path):
    (tmp_path / "models" / "tiny").rename(tmp_path / "received")
    (tmp_path / "received" / "model_card.md").write_text("# Theirs")

    done = run("models", "import", tmp_path / "received", "--name", "mine")

    assert done.stdout.strip() == str(tmp_path / "models" / "mine")
    assert library.find_model("mine").card == "# Theirs"
    library.load_model("mine")
    with pytest.raises(OutputError, match="already exists"):
        run("models", "import", tmp_path / "received", "--name", "mine")
    (tmp_path / "received" / "model.safetensors").write_bytes(b"cut")
    with pytest.raises(CheckpointError, match="complete safetensors"):
        run("models", "import", tmp_path / "received", "--name", "mine", "--overwrite")
    library.load_model("mine")
