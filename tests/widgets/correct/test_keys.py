"""The keys: in the manifest, in napari's preferences, and on the sheet."""

from importlib.resources import files

import pytest
import yaml
from napari.utils.action_manager import action_manager
from napari.utils.shortcuts import default_shortcuts

from napari_microus.widgets.compare.work_panel import KEYS as SETTLE_KEYS
from napari_microus.widgets.correct import CorrectWidget, keys


def test_the_manifest_names_the_same_keys_and_commands():
    text = files("napari_microus").joinpath("napari.yaml").read_text("utf-8")
    stated = yaml.safe_load(text)["contributions"]
    bound = {entry["command"]: entry["key"] for entry in stated["keybindings"]}
    assert bound == {f"napari-microus.{a.name}": a.key for a in keys.ACTIONS}
    titles = {entry["id"]: entry["title"] for entry in stated["commands"]}
    for action in keys.ACTIONS:
        assert titles[f"napari-microus.{action.name}"] == action.words
        assert callable(getattr(keys, action.name))


def test_no_key_is_taken_by_napari_or_by_adjudicating():
    ours = {action.key for action in keys.ACTIONS}
    assert len(ours) == len(keys.ACTIONS)
    taken = {str(key) for bound in default_shortcuts.values() for key in bound}
    assert not ours & taken
    assert not ours & {key.upper() for key in SETTLE_KEYS.values()}


def test_napari_knows_the_keys_so_that_its_preferences_can_change_them(widget):
    for action in keys.ACTIONS:
        bound = action_manager._shortcuts[f"napari-microus:{action.name}"]
        assert [str(key) for key in bound] == [action.key]


def test_a_key_of_the_users_is_kept_and_shown(monkeypatch):
    from napari.settings import get_settings

    settings = get_settings().shortcuts
    chosen = {**settings.shortcuts, "napari-microus:approve_frame": ["Shift-G"]}
    monkeypatch.setattr(settings, "shortcuts", chosen)
    assert dict(keys.lines())["⇧+G"] == keys.APPROVE.words


@pytest.mark.parametrize("action", keys.ACTIONS, ids=lambda action: action.name)
def test_a_command_presses_the_button_of_the_open_dock(widget, viewer, action):
    widget.show()
    pressed = []
    keys._button(widget, action).clicked.connect(lambda: pressed.append(1))
    getattr(keys, action.name)(viewer)
    assert pressed == [1]
    widget.hide()
    getattr(keys, action.name)(viewer)
    assert pressed == [1]


def test_the_sheet_lists_every_key(widget, qtbot):
    from qtpy.QtWidgets import QLabel

    widget.keys_button.click()
    words = {label.text() for label in widget.footer.sheet.findChildren(QLabel)}
    assert {action.words for action in keys.ACTIONS} <= words
    assert {action.key for action in keys.ACTIONS} <= words
    widget.footer.sheet.close()


def test_of_two_docks_on_one_capsule_a_key_presses_one(widget, viewer, qtbot):
    other = CorrectWidget(viewer)
    qtbot.addWidget(other)
    widget.show()
    other.show()
    keys.approve_frame(viewer)
    assert other.capsule.review.approved == {2}
    assert widget.capsule.review.approved == set()
    qtbot.waitUntil(lambda: other.autosaving._worker is None)


def test_the_preferences_list_the_keys(widget, qtbot):
    from napari._qt.widgets.qt_keyboard_settings import ShortcutEditor

    editor = ShortcutEditor()
    qtbot.addWidget(editor)
    listed = editor.key_bindings_strs[editor.VIEWER_KEYBINDINGS]
    assert {f"napari-microus:{action.name}" for action in keys.ACTIONS} <= set(listed)
