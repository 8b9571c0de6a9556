"""Every key of the plugin in one table: docks bind from it, the sheet is made of it."""

from __future__ import annotations

from dataclasses import dataclass

from napari_microus.widgets._shared.keys import KeyAction, key_of
from napari_microus.widgets._shared.words import tr

#: In every dock.
SHEET = "?"
#: In *Segment capsule*.
SEGMENT = "Ctrl+Return"

# --- Correct capsule: in the picture, changed in napari's preferences
APPROVE = KeyAction("approve_frame", "G", "Approve the frame and go to the next")
NEXT = KeyAction("next_unapproved", "N", "Next frame that is not approved")
DOUBTFUL = KeyAction("next_doubtful", "J", "Frame the model was least sure of")
CLICK = KeyAction("click_to_correct", "K", "Click to correct, on and off")
NUDGE = KeyAction("nudge_outline", "U", "Nudge the outline with a circle, on and off")
HANDLES = KeyAction("outline_handles", "H", "Handles of the outline, on and off")
CORRECT = (APPROVE, NEXT, DOUBTFUL, CLICK, NUDGE, HANDLES)

#: Adjudicating, by act; in the picture and in the dock, outside text fields.
ADJUDICATE = {
    "next": "W",
    "previous": "Q",
    "expert": "A",
    "nonexpert": "S",
    "undecided": "D",
    "reopen": "E",
    "undo": "R",
}
#: Keys that napari's own undo has.
ADJUDICATE_UNDO = {"undo": "Control-Z", "redo": "Control-Shift-Z"}
_ACTS = {
    "next": "Next region",
    "previous": "Region before",
    "expert": "Take the first annotator's outline",
    "nonexpert": "Take the second annotator's outline",
    "undecided": "Leave the region undecided",
    "reopen": "Take the decision back",
    "undo": "Undo",
    "redo": "Redo",
}

# Keys of napari's own that help here, by what they are called in its settings.
_NAPARI = {
    "napari:increment_dims_left": "Frame before",
    "napari:increment_dims_right": "Next frame",
    "napari:decrease_brush_size": "Smaller brush",
    "napari:increase_brush_size": "Larger brush",
    "napari:activate_labels_paint_mode": "Paint",
    "napari:activate_labels_erase_mode": "Erase",
    "napari:hold_for_pan_zoom": "Held: move the picture while painting",
    "napari:toggle_ndisplay": "Flat picture or 3D",
}


@dataclass(frozen=True)
class KeyGroup:
    """Keys that work in one place: pairs of key and what it does."""

    title: str
    lines: tuple[tuple[str, str], ...]


def key_groups() -> list[KeyGroup]:
    """Return all keys as they are now, with those that the user changed."""
    acts = [*ADJUDICATE.items(), *ADJUDICATE_UNDO.items()]
    return [
        KeyGroup(
            tr("Any dock of MicroUS"),
            (
                (SHEET, tr("This sheet")),
                ("Tab, Shift+Tab", tr("Next control, control before")),
            ),
        ),
        KeyGroup(tr("Segment capsule"), ((SEGMENT, tr("Segment, or cancel")),)),
        KeyGroup(
            tr("Correct capsule"),
            tuple((key_of(action), tr(action.words)) for action in CORRECT),
        ),
        KeyGroup(
            tr("Compare annotations, while adjudicating"),
            tuple((sequence(key), tr(_ACTS[act])) for act, key in acts),
        ),
        KeyGroup(tr("napari's own, useful beside them"), tuple(_of_napari())),
    ]


def sequence(key: str) -> str:
    """Return a key of napari's spelling as Qt spells it."""
    return key.replace("Control", "Ctrl").replace("-", "+")


def _of_napari() -> list[tuple[str, str]]:
    from napari.settings import get_settings
    from napari.utils.interactions import Shortcut

    chosen = get_settings().shortcuts.shortcuts
    lines = []
    for name, words in _NAPARI.items():
        keys = ", ".join(Shortcut(key).platform for key in chosen.get(name, ()))
        if keys:
            lines.append((keys, tr(words)))
    return [*lines, ("Ctrl+Z, Ctrl+Shift+Z", tr("Undo, redo of what was drawn"))]
