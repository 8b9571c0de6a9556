from pathlib import Path

import pytest
from qtpy.QtCore import Qt

from napari_microus.core.errors import ConfigError
from napari_microus.core.library import ModelInfo
from napari_microus.core.runs.workspace import Workspace
from napari_microus.core.study import Study, StudyCase
from napari_microus.core.train import TrainConfig, preset_names
from napari_microus.widgets.train.form import RunForm, preset_summary
from napari_microus.widgets.train.settings import SECTIONS

MODELS = [
    ModelInfo("microus-small", Path("a")),
    ModelInfo("mine", Path("b")),
    ModelInfo("broken", Path("c"), problem="The weights are missing."),
]
SETTINGS = [setting for part in SECTIONS.values() for setting in part]


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path / "home")


@pytest.fixture
def form(qtbot, workspace):
    form = RunForm(lambda: MODELS, workspace)
    qtbot.addWidget(form)
    return form


def choose_preset(form, name):
    form.preset_box.setCurrentIndex(form.preset_box.findData(name))


def test_three_choices_are_seen_and_the_rest_is_folded(form):
    form.show()

    assert form.start_box.isVisible()
    assert form.data_box.isVisible()
    assert form.preset_box.isVisible()
    assert not form.fold.isExpanded()


def test_without_a_change_the_run_is_the_preset(form):
    run = Path("somewhere") / "run"

    assert form.changes() == {}
    assert form.arguments(run) == [
        *("train", "--preset", "fine-tune"),
        *("--output", str(run)),
    ]
    assert form.config(run) == TrainConfig.preset("fine-tune", output=str(run))


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_fills_the_form_and_comes_back_unchanged(name, form):
    choose_preset(form, name)

    assert form.changes().keys() <= {"start"}
    assert form.config(Path("run")) == TrainConfig.preset(name, output="run")
    assert preset_summary(name).endswith(".")


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: s.path)
def test_every_setting_exists_and_is_explained(setting, form):
    field = form.advanced.fields[setting.path]

    assert len(field.toolTip()) > 20
    if setting.published:
        assert f"Published: {setting.published}." in field.toolTip()
    value = TrainConfig.preset("paper").to_dict()
    for name in setting.path.split("."):
        value = value[name]


def test_changes_are_bold_and_travel_as_settings(form, workspace):
    form.advanced.fields["optimizer.learning_rate"].setText("1e-3")
    form.advanced.fields["early_stop"].setText("")
    form.advanced.fields["deterministic"].setChecked(True)

    config = form.config(Path("run"))

    assert config.optimizer.learning_rate == 0.001
    assert config.early_stop is None
    assert config.deterministic
    label = form.advanced._labels["early_stop"]
    assert "bold" in label.styleSheet()
    assert "bold" not in form.advanced._labels["epochs"].styleSheet()
    words = form.arguments(Path("run"))
    assert "early_stop=null" in words
    assert "deterministic=true" in words


def test_words_are_understood_by_the_command_line(form):
    from napari_microus.cli.train import parse_settings

    form.choose_small()
    form.advanced.fields["optimizer.learning_rate"].setText("0.00001")
    words = form.arguments(Path("run"))
    lines = [words[i + 1] for i, word in enumerate(words) if word == "--set"]

    config = TrainConfig.preset("fine-tune", output="run")
    config = config.with_changes(parse_settings(lines))

    assert config == form.config(Path("run"))
    assert config.start is None


@pytest.mark.parametrize(
    ("path", "text", "words"),
    [
        ("epochs", "many", r"Epochs must be a whole number; got 'many'"),
        ("epochs", "", r"Epochs must be a whole number; got ''"),
        ("epochs", "0", r"epochs must be at least 1; got 0"),
        ("optimizer.learning_rate", "-1", r"learning_rate must be positive; got -1"),
    ],
)
def test_wrong_field_is_named(path, text, words, form):
    form.advanced.fields[path].setText(text)

    with pytest.raises(ConfigError, match=words):
        form.config(Path("run"))


def test_model_gets_the_name_that_was_typed(form):
    form.name_edit.setText("my-model")

    assert form.config(Path("run")).name == "my-model"


def test_name_that_is_no_folder_is_refused(form):
    form.name_edit.setText("a/b")

    with pytest.raises(ConfigError, match="must be a folder's name; got 'a/b'"):
        form.config(Path("run"))


def test_models_that_cannot_be_used_are_not_offered(form):
    names = [form.start_box.itemText(i) for i in range(form.start_box.count())]

    assert names[:2] == ["microus-small", "mine"]
    assert "broken" not in names


def test_other_start_model_goes_into_the_run(form):
    form.start_box.setCurrentText("mine")

    assert form.config(Path("run")).start == "mine"


def test_published_weights_can_be_started_from(form):
    form.start_box.setCurrentText("Published weights, imagenet21k")

    assert form.config(Path("run")).start == "imagenet21k"
    assert 'start="imagenet21k"' in form.arguments(Path("run"))[-1]
    tip = form.start_box.itemData(
        form.start_box.currentIndex(), Qt.ItemDataRole.ToolTipRole
    )
    assert "models fetch imagenet21k" in tip  # it is not on this computer


def test_preset_chooses_what_it_starts_from(form):
    assert form.start_box.currentText() == "microus-small"

    choose_preset(form, "paper")

    assert form.start_box.currentText() == "New network, as the preset says"
    base = form.config(Path("run")).model
    assert base.transunet.hidden_size == 768


def test_study_is_described_by_its_patients(form, workspace, tmp_path):
    study = Study.create(tmp_path / "study")
    for patient in ("a", "b", "b", "c"):
        name = f"case{len(study.cases)}"
        study.add(StudyCase(name, patient, "x.png", "y.png"))
    workspace.remember(tmp_path / "study")

    form.refresh_studies(tmp_path / "study")

    assert form.study == tmp_path / "study"
    assert "to learn from" in form.data_note.text()
    assert "1 patient" in form.data_note.text()
    assert form.config(Path("run")).data.study == str(tmp_path / "study")


def test_study_in_folds_is_described_with_the_fold_held_out(form, workspace, tmp_path):
    study = Study.create(tmp_path / "study")
    for number in range(3):
        case = StudyCase(f"c{number}", f"p{number}", "x", "y", split=f"fold{number}")
        study.add(case)
    workspace.remember(tmp_path / "study")
    form.refresh_studies(tmp_path / "study")
    assert "The folds are: 0, 1, 2" in form.data_note.text()

    field = form.advanced.fields["data.fold"]
    field.setText("1")
    field.editingFinished.emit()

    assert form.data_note.text().startswith("2 cases of 2 patients to learn from")


def test_removed_study_is_not_offered(form, workspace, tmp_path):
    Study.create(tmp_path / "study")
    workspace.remember(tmp_path / "study")
    form.refresh_studies(tmp_path / "study")
    (tmp_path / "study" / "manifest.csv").unlink()

    form.refresh_studies()

    assert form.study is None


def test_places_give_each_run_a_folder_of_its_own(workspace, tmp_path):
    first = workspace.new_run(None, "my model")
    first.mkdir(parents=True)

    assert first == tmp_path / "home" / "runs" / "my-model-1"
    assert workspace.new_run(None, "my model").name == "my-model-2"
    assert workspace.new_run(tmp_path / "s", "x") == tmp_path / "s" / "runs" / "x-1"
