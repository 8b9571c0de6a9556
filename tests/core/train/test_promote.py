import pytest
import yaml

from napari_microus.core.events import BatchReport
from napari_microus.core.library import list_models, remove_model
from napari_microus.core.runs.folder import request
from napari_microus.core.train import resume, train
from napari_microus.core.train.promote import promote


@pytest.fixture
def library(tmp_path, monkeypatch):
    folder = tmp_path / "library"
    monkeypatch.setenv("NAPARI_MICROUS_MODELS", str(folder))
    return folder


@pytest.fixture
def stopped(tiny, drain, library, tmp_path):
    """A run that was stopped in its second epoch, its model in the library."""
    config = tiny(to_library=True)
    work = train(config)
    for event in work:
        if isinstance(event, BatchReport) and (event.epoch, event.batch) == (1, 1):
            request(config.output, "stop")
    assert names() == {"tiny"}
    return tmp_path / "run"


def names():
    return {model.name for model in list_models() if not model.is_bundled}


def config_of(folder):
    return yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))


def epochs_of(name):
    return next(m for m in list_models() if m.name == name).metrics["epochs"]


def test_a_resumed_run_replaces_its_own_model(stopped, drain, library):
    first = config_of(library / "tiny")["run"]
    assert epochs_of("tiny") == 1

    _, result = drain(resume(stopped))

    assert names() == {"tiny"}
    assert result.model == library / "tiny"
    assert epochs_of("tiny") == 2
    assert config_of(library / "tiny")["run"] == first
    assert not [p for p in library.iterdir() if p.name.startswith(".")]


def test_a_card_that_somebody_wrote_on_is_kept(stopped, drain, library):
    card = library / "tiny" / "model_card.md"
    card.write_text("my own words", encoding="utf-8")

    drain(resume(stopped))

    assert card.read_text(encoding="utf-8") == "my own words"
    assert names() == {"tiny", "tiny-2"}


def test_another_run_of_that_name_is_kept(stopped, tiny, drain, library, tmp_path):
    remove_model("tiny")
    other = tiny(output=str(tmp_path / "other"), to_library=True, epochs=1)
    drain(train(other))
    before = config_of(library / "tiny")["run"]

    drain(resume(stopped))

    assert names() == {"tiny", "tiny-2"}
    assert config_of(library / "tiny")["run"] == before
    assert config_of(library / "tiny-2")["run"] != before


def test_a_model_taken_out_of_the_library_comes_back_with_the_end(stopped, drain):
    remove_model("tiny")
    assert names() == set()

    drain(resume(stopped))

    assert names() == {"tiny"}


def test_no_name_hides_a_bundled_model(stopped, library):
    found = promote(stopped, "microus-small")
    assert found == library / "microus-small-2"


def test_the_weights_lie_on_the_disk_once(stopped, library):
    own, copy = stopped / "model", library / "tiny"
    assert own.joinpath("model.safetensors").samefile(copy / "model.safetensors")
    assert not own.joinpath("model_card.md").samefile(copy / "model_card.md")


def test_where_files_cannot_be_linked_they_are_copied(stopped, library, monkeypatch):
    def refuse(*_):
        raise OSError("no links here")

    monkeypatch.setattr("os.link", refuse)
    found = promote(stopped, "copied")

    weights = [f / "model.safetensors" for f in (stopped / "model", found)]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    assert not weights[0].samefile(weights[1])
