"""The *Train* dock with a study of volumes."""

from pathlib import Path

import pytest
from napari.components import ViewerModel
from napari.utils._proxies import PublicOnlyProxy

from napari_microus.core import library
from napari_microus.core.events import drain
from napari_microus.core.library import ModelInfo
from napari_microus.core.phantom.lesion_files import write_lesions
from napari_microus.core.runs.process import command
from napari_microus.core.runs.workspace import Workspace
from napari_microus.core.study import Study, import_folder
from napari_microus.widgets.train.dock import TrainWidget
from napari_microus.widgets.train.process_registry import ProcessRegistry

PATIENCE_MS = 240_000  # a real run, on a machine on which much else happens
VOLUMES = {"input": {"spatial_dims": 3, "channels": ["t2w", "adc", "hbv"]}}
MODELS = [
    ModelInfo("capsule", Path("a")),
    ModelInfo("tumour", Path("b"), config=VOLUMES),
]


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path / "home")


@pytest.fixture
def lesions(tmp_path, workspace):
    """A study of four simulated examinations, known to the dock."""
    drain(write_lesions(tmp_path / "mri", count=4))
    study = Study.create(tmp_path / "lesions")
    import_folder(study, tmp_path / "mri")
    workspace.remember(study.folder)
    return study


@pytest.fixture
def make(qtbot, workspace, tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_MICROUS_MODELS", str(tmp_path / "models"))
    registry = ProcessRegistry(lambda *_: "stop")

    def make(list_models=lambda: MODELS, make_command=command):
        widget = TrainWidget(
            PublicOnlyProxy(ViewerModel()),
            list_models=list_models,
            make_command=make_command,
            workspace=workspace,
            registry=registry,
        )
        qtbot.addWidget(widget)
        widget.show()
        return widget

    yield make
    for process in registry._processes:
        process.kill()
        process.wait(10)


def choose(dock, preset):
    box = dock.form.preset_box
    box.setCurrentIndex(box.findData(preset))


def starts(dock):
    box = dock.form.start_box
    return [box.itemText(place) for place in range(box.count())]


def test_what_is_for_frames_alone_is_hidden(lesions, make):
    dock = make()
    dock.form.fold.expand(animate=False)
    fields = dock.form.advanced.fields
    assert not fields["augment.speckle"].isHidden()
    assert fields["data.patches_per_case"].isHidden()

    choose(dock, "picai")

    for path in ("augment.speckle", "loss.kernel_sizes", "data.val_frames_per_case"):
        assert fields[path].isHidden()
    assert not fields["data.patches_per_case"].isHidden()
    assert not fields["augment.contrast"].isHidden()
    assert dock.variations.isHidden()
    assert starts(dock) == ["tumour", "New network, as the preset says"]
    choose(dock, "fine-tune")
    assert not dock.variations.isHidden()
    assert "capsule" in starts(dock)
    assert "tumour" not in starts(dock)


def test_the_other_kind_of_preset_is_refused_before_the_run(lesions, make):
    started = []
    dock = make(make_command=started.append)
    words = "This study holds volumes of t2w, adc, hbv."
    assert dock.form.data_note.text().startswith(words)
    dock.start_button.click()
    assert dock.message.text().startswith(words)

    choose(dock, "picai")
    assert dock.form.data_note.text() == (
        "3 cases of 3 patients to learn from, 1 case of 1 patient to validate on."
    )
    dock.form.data_box.setCurrentIndex(dock.form.data_box.count() - 1)  # phantoms
    assert dock.form.data_note.text().startswith("Volumes are learnt from a study.")
    dock.start_button.click()
    assert dock.message.text().startswith("Volumes are learnt from a study.")
    assert not started


def test_terms_of_the_loss_travel_as_a_setting(lesions, make):
    dock = make()
    choose(dock, "picai")
    dock.form.advanced.fields["loss.terms"].setText("alpha_va, gamma_mSa")
    assert dock.form.changes()["loss.terms"] == ["alpha_va", "gamma_mSa"]
    config = dock.form.config(Path("run"))
    assert config.loss.terms == ("alpha_va", "gamma_mSa")


def test_a_run_on_volumes_ends_in_the_library(qtbot, lesions, make):
    dock = make(list_models=library.list_models)
    choose(dock, "lesion-small")
    fields = dock.form.advanced.fields
    fields["epochs"].setText("2")
    fields["data.patches_per_case"].setText("1")
    fields["device"].setCurrentText("cpu")

    dock.start_button.click()
    panel = dock.panel
    qtbot.waitUntil(
        lambda: panel.run is not None and not panel.is_active, timeout=PATIENCE_MS
    )

    assert panel.state == "finished", panel.message.text()
    assert len(panel.history.epochs) == 2
    qtbot.waitUntil(lambda: len(panel.curves.line("val_dice")[0]) == 2)
    qtbot.waitUntil(lambda: panel.watched.shown is not None, timeout=10_000)
    assert panel.watched.shown.image.shape == (64, 64)
    assert (panel.watched.shown.error > 0).any()
    found = {model.name: model for model in library.list_models()}["lesion"]
    assert found.channels == ("t2w", "adc", "hbv")
    assert "lesion" in starts(dock)
