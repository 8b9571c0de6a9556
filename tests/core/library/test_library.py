import json

import pytest
import torch
import yaml

from napari_microus.core import library
from napari_microus.core.config import ModelConfig
from napari_microus.core.errors import CheckpointError, ConfigError, OutputError
from napari_microus.core.library import catalog, store
from napari_microus.core.models import create_model
from tiny_network import TINY

CONFIG = {"architecture": "transunet", "options": TINY, "version": "3"}


@pytest.fixture(autouse=True)
def shelves(tmp_path, monkeypatch):
    """An empty library and an empty bundled folder."""
    monkeypatch.setenv("NAPARI_MICROUS_MODELS", str(tmp_path / "library"))
    monkeypatch.setattr(catalog, "BUNDLED_FOLDER", tmp_path / "bundled")
    return tmp_path


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    values = {"architecture": "transunet", "transunet": TINY}
    return create_model(ModelConfig.from_dict(values))


@pytest.fixture
def save(network, shelves):
    def save(name="tiny", place="library", **changes):
        values = {"config": CONFIG, "card": "# Tiny", "metrics": {"dice": 0.5}}
        return library.save_model(shelves / place / name, network, **values | changes)

    return save


def replace_weights(path, change):
    from safetensors.torch import load_file, save_file

    weights = load_file(path / store.WEIGHTS)
    change(weights)
    save_file(weights, path / store.WEIGHTS)


def test_a_saved_model_comes_back_the_same(save, network):
    save()

    model = library.load_model("tiny")

    assert (model.name, model.version, model.card) == ("tiny", "3", "# Tiny")
    assert model.metrics == {"dice": 0.5}
    assert not model.network.training
    frames = torch.rand(1, 1, 32, 32)
    network.eval()
    torch.testing.assert_close(
        model.network(frames).logits, network(frames).logits, rtol=0, atol=0
    )


def test_a_folder_can_be_loaded_by_its_path(save):
    path = save(place="elsewhere")
    assert library.load_model(path).name == "tiny"


def test_the_folder_holds_four_files_and_nothing_else(save):
    path = save()
    assert {p.name for p in path.iterdir()} == {
        "model.safetensors",
        "config.yaml",
        "model_card.md",
        "metrics.json",
    }
    assert len({p.stat().st_mode for p in path.iterdir()}) == 1
    assert yaml.safe_load((path / "config.yaml").read_text(encoding="utf-8")) == CONFIG
    assert json.loads((path / "metrics.json").read_text(encoding="utf-8")) == {
        "dice": 0.5
    }
    assert [p.name for p in path.parent.iterdir()] == ["tiny"]


def test_an_existing_model_is_replaced_only_when_asked(save):
    save()
    with pytest.raises(OutputError, match="already exists"):
        save(card="new")
    assert library.find_model("tiny").card == "# Tiny"
    path = save(card="new", overwrite=True)
    assert library.find_model("tiny").card == "new"
    assert [p.name for p in path.parent.iterdir()] == ["tiny"]


def test_a_failed_save_leaves_the_old_model_and_no_rest(save, monkeypatch):
    path = save()

    def fail(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", fail)
    with pytest.raises(OutputError, match="No space left"):
        save(card="new", overwrite=True)
    assert library.find_model("tiny").card == "# Tiny"
    assert [p.name for p in path.parent.iterdir()] == ["tiny"]


def test_a_save_that_fails_at_the_last_step_puts_the_old_model_back(save, monkeypatch):
    import os

    path = save()
    rename = os.rename

    def fail(source, target):
        if source.parent.name == "new":
            raise OSError(5, "Input/output error")
        rename(source, target)

    monkeypatch.setattr("napari_microus.core.files.os.rename", fail)
    with pytest.raises(OutputError, match="Input/output error"):
        save(card="new", overwrite=True)
    assert library.find_model("tiny").card == "# Tiny"
    assert [p.name for p in path.parent.iterdir()] == ["tiny"]


def test_both_shelves_are_listed_the_default_first(save):
    save("b")
    save("a")
    save(library.DEFAULT_MODEL, place="bundled")
    save("b", place="bundled")

    models = library.list_models()

    assert [m.name for m in models] == [library.DEFAULT_MODEL, "a", "b"]
    assert [m.is_bundled for m in models] == [True, False, False]


def test_an_empty_library_lists_nothing_and_says_so():
    assert library.list_models() == []
    with pytest.raises(ConfigError, match="library is empty"):
        library.load_model("tiny")


def test_an_unknown_name_lists_the_known(save):
    save("a")
    save("b")
    with pytest.raises(ConfigError, match=r"got 'c'\. Choose one of: a, b\."):
        library.load_model("c")


def test_a_broken_folder_is_listed_with_its_problem(save):
    (save("broken") / "model.safetensors").unlink()
    save("sound")
    problems = {m.name: m.problem for m in library.list_models()}
    assert problems["sound"] == ""
    assert "model.safetensors is missing" in problems["broken"]
    with pytest.raises(CheckpointError, match=r"must hold model\.safetensors"):
        library.load_model("broken")


@pytest.mark.parametrize("size", [0, 7, 2000])
def test_truncated_weights_are_named(save, size):
    weights = save() / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:size])
    with pytest.raises(CheckpointError, match="complete safetensors file"):
        library.load_model("tiny")


def test_foreign_weights_name_the_first_of_each_fault(save):
    first = {}

    def change(weights):
        first["misshapen"], first["missing"] = sorted(weights)[:2]
        weights[first["misshapen"]] = torch.zeros(3, 3, 3)
        del weights[first["missing"]]
        weights["other.layer"] = torch.zeros(1)

    replace_weights(save(), change)
    with pytest.raises(CheckpointError) as caught:
        library.load_model("tiny")
    words = str(caught.value)
    assert f"missing {first['missing']}" in words
    assert "unexpected other.layer" in words
    assert f"misshapen {first['misshapen']} (3, 3, 3)" in words


def test_weights_that_are_not_finite_are_refused(save):
    def change(weights):
        name = next(n for n, v in weights.items() if v.is_floating_point())
        weights[name][...] = torch.nan

    replace_weights(save(), change)
    with pytest.raises(CheckpointError, match="must be finite"):
        library.load_model("tiny")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "must have 'architecture'"),
        ("architecture: transunet", "must have 'options'"),
        ("architecture: [", "must be YAML"),
        ("architecture: vgg\noptions: {}", "architecture must be one of"),
        ("architecture: transunet\noptions: {depth: 3}", "'depth'"),
    ],
)
def test_a_wrong_configuration_is_one_sentence(save, text, words):
    (save() / "config.yaml").write_text(text)
    with pytest.raises(CheckpointError, match=words):
        library.load_model("tiny")


def test_a_configuration_without_architecture_is_not_saved(save):
    with pytest.raises(CheckpointError, match="must have 'architecture'"):
        save(config={"options": {}})


def test_only_models_of_the_users_library_are_removed(save):
    path = save("mine")
    save("theirs", place="bundled")
    assert library.remove_model("mine") == path
    assert not path.exists()
    with pytest.raises(ConfigError, match="Only a model of the user's library"):
        library.remove_model("theirs")
    assert library.find_model("theirs").is_bundled


def test_the_library_lies_in_the_platforms_data_folder(monkeypatch):
    monkeypatch.delenv("NAPARI_MICROUS_MODELS")
    assert library.library_folder().parts[-2:] == ("napari-microus", "models")


def test_a_published_checkpoint_is_imported_whole(network, tmp_path, monkeypatch):
    tiny = ModelConfig.from_dict({"transunet": TINY})
    sizes = []

    def base(image_size):
        sizes.append(image_size)
        return tiny

    monkeypatch.setattr(ModelConfig, "base", base)
    wrapped = {f"module.{name}": v for name, v in network.state_dict().items()}
    torch.save({"state_dict": wrapped, "epoch": 9}, tmp_path / "published.pth")

    path = library.import_checkpoint(tmp_path / "published.pth", name="theirs")

    assert path == library.library_folder() / "theirs"
    assert sizes == [32]  # from four position embeddings of 16 pixels each
    model = library.load_model("theirs")
    assert "Not for clinical use" in model.card
    for name, value in network.state_dict().items():
        torch.testing.assert_close(model.network.state_dict()[name], value)
    with pytest.raises(OutputError, match="already exists"):
        library.import_checkpoint(tmp_path / "published.pth", name="theirs")


def test_a_pickle_with_code_is_not_run(tmp_path):
    import pickle

    class Harm:
        def __reduce__(self):
            return (open, (str(tmp_path / "harm"), "w"))

    (tmp_path / "harm.pth").write_bytes(
        pickle.dumps({"state_dict": Harm()}, protocol=2)
    )
    with pytest.raises(CheckpointError, match=r"tensors only|readable file"):
        library.import_checkpoint(tmp_path / "harm.pth")
    assert not (tmp_path / "harm").exists()
