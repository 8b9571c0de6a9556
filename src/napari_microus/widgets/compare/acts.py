"""Walk from region to region, decide, draw, undo: what the buttons and keys do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QShortcut

from napari_microus.core.compare.adjudication.votes import Decision
from napari_microus.widgets._shared.controls import length_unit
from napari_microus.widgets._shared.key_table import ADJUDICATE as KEYS
from napari_microus.widgets._shared.key_table import ADJUDICATE_UNDO as UNDO_KEYS
from napari_microus.widgets._shared.key_table import sequence
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets.compare.current import Current
from napari_microus.widgets.compare.part_acts import PartActs
from napari_microus.widgets.compare.region_table import Annotators, called, described
from napari_microus.widgets.compare.several_acts import SeveralActs

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_microus.core.compare.adjudication.history import Step
    from napari_microus.core.compare.naming import Naming
    from napari_microus.core.compare.regions import DisputedRegion
    from napari_microus.widgets.compare.adjudicating import AdjudicationLayers
    from napari_microus.widgets.compare.work_panel import WorkPanel

_ALL_DECIDED = (
    "Every listed region is decided. Choose one in the list to change it, or save."
)


class Acts(Current):
    """What can be done in an adjudication.

    Parameters
    ----------
    panel : WorkPanel
        Its buttons are connected here.
    """

    def __init__(self, panel: WorkPanel) -> None:
        super().__init__(panel)
        self.parts = PartActs(self)
        self.several = SeveralActs(self)
        # Walking on never ends on a decided region that one key more would change.
        self._is_chosen = False
        for act, do in self._by_name().items():
            panel.buttons[act].clicked.connect(do)
        panel.table.chosen.connect(self._on_row)
        panel.draw_button.clicked.connect(self.draw)
        self.parts.marked.connect(self.refresh)
        self.parts.decided.connect(self._go_on)
        panel.note.edited.connect(self._on_note)
        for keys in (KEYS, UNDO_KEYS):
            for act, key in keys.items():
                shortcut = QShortcut(QKeySequence(sequence(key)), panel)
                shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
                shortcut.activated.connect(self._by_name()[act])

    def _by_name(self) -> dict[str, Callable[..., None]]:
        return {
            "next": self.next_region,
            "previous": self.previous_region,
            "expert": self.accept_first,
            "nonexpert": self.accept_second,
            "undecided": self.leave_undecided,
            "reopen": self.reopen,
            "undo": self.undo,
            "redo": self.redo,
        }

    # --- the adjudication

    def take(self, shown: AdjudicationLayers) -> None:
        """Work on this adjudication."""
        self.shown, self.region = shown, None
        shown.changed.connect(self.refresh)
        self.parts.take(shown)
        self._bind_keys(True)
        self.panel.note.add_reasons({note.reason for note in shown.work.notes.values()})

    def release(self) -> None:
        """Work on none."""
        if self.shown is None:
            return
        self.parts.release()
        self.several.cancel_preview()
        self._bind_keys(False)
        self.shown = self.region = None

    def show_naming(self, naming: Naming) -> None:
        """Use other names and colours."""
        self.naming = naming
        shown = self.shown
        if shown is None:
            return
        unit = length_unit(shown.grid)
        self.panel.show_naming(naming, shown.more.names, unit)
        for button, decision in self.panel.more_buttons:
            if button.property("microus") is None:
                button.setProperty("microus", str(decision))
                button.clicked.connect(self._on_more)
        self.panel.table.fill(shown.work, self._names(), unit)
        self.refresh()

    def _names(self) -> Annotators:
        return called(self.naming, self.shown.more.names if self.shown else ())

    # --- walking

    def next_region(self, viewer: Any = None) -> None:
        """Go to the next listed region without a decision, else to the next one."""
        if self.shown is None:
            return
        listed = self.panel.table.listed()
        after = self.region.number if self.region else 0
        at = listed.index(after) + 1 if after in listed else 0
        verdicts = self.shown.work.verdicts
        order = listed[at:] + listed[:at]
        number = next((n for n in order if n not in verdicts), None)
        if number is None:
            self._step(+1)
        else:
            self.show_region(self.shown.work.region(number))

    def previous_region(self, viewer: Any = None) -> None:
        """Go to the listed region before this one."""
        self._step(-1)

    def _step(self, by: int) -> None:
        listed = self.panel.table.listed()
        if self.shown is None or not listed:
            return
        number = self.region.number if self.region else 0
        at = listed.index(number) + by if number in listed else 0
        self.show_region(self.shown.work.region(listed[at % len(listed)]))

    def show_region(self, region: DisputedRegion) -> None:
        """Bring a region into view and describe it; it can be decided again."""
        if self.shown is None:
            return
        self.region = region
        self._is_chosen = True
        self.shown.look_at(region)
        self._bind_box()
        self.panel.note.show_note(self.shown.work.notes.get(region.number))
        self.refresh()

    def _on_row(self, number: int) -> None:
        if self.shown is not None:
            self.show_region(self.shown.work.region(number))

    # --- deciding

    def accept_first(self, viewer: Any = None) -> None:
        """Give the region to the annotator who comes first."""
        is_swapped = self.naming.is_swapped
        self.decide(Decision.nonexpert if is_swapped else Decision.expert)

    def accept_second(self, viewer: Any = None) -> None:
        """Give the region to the annotator who comes second."""
        is_swapped = self.naming.is_swapped
        self.decide(Decision.expert if is_swapped else Decision.nonexpert)

    def leave_undecided(self, viewer: Any = None) -> None:
        """Leave the region open; losses and metrics will ignore it."""
        self.decide(Decision.undecided)

    def _on_more(self) -> None:
        sender = self.sender()
        if sender is not None:
            self.decide(Decision(sender.property("microus")))

    def decide(self, decision: Decision) -> None:
        """Decide the region in view, and go to the next open one."""
        shown, region = self.ready(), self.region
        if shown is None or region is None:
            return
        if region.number in shown.work.verdicts and not self._is_chosen:
            self.said.emit(_ALL_DECIDED)
            return
        shown.work.decide(region, decision)
        shown.show_change()
        self._go_on()

    def _go_on(self) -> None:
        self._is_chosen = False
        assert self.shown is not None  # something was decided in it
        verdicts = self.shown.work.verdicts
        if any(number not in verdicts for number in self.panel.table.listed()):
            self.next_region()
        else:
            self.said.emit(_ALL_DECIDED)

    def reopen(self, viewer: Any = None) -> None:
        """Take the decision on the region in view back."""
        shown, region = self.ready(), self.region
        if shown is None or region is None:
            return
        if region.number in shown.work.verdicts or shown.work.open_share(region) < 1:
            shown.work.reopen(region)
            shown.show_change()
            self._is_chosen = True
        else:
            self.said.emit(tr("This region is open already."))

    def undo(self, viewer: Any = None) -> None:
        """Undo the last decision or stroke and go there."""
        shown = self.ready()
        if shown is not None:
            self._report("Undone", shown.undo(), tr("There is nothing to undo."))

    def redo(self, viewer: Any = None) -> None:
        """Do again what was undone last and go there."""
        shown = self.ready()
        if shown is not None:
            self._report(
                "Done again", shown.redo(), tr("There is nothing to do again.")
            )

    def _report(self, what: str, step: Step | None, otherwise: str) -> None:
        shown = self.shown
        if step is None or shown is None:
            self.said.emit(otherwise)
            return
        numbers = list(step.verdicts)
        if len(numbers) == 1:
            self.show_region(shown.work.region(numbers[0]))
            of = f"region {numbers[0]}"
        elif numbers:
            of = f"{len(numbers)} regions"
        else:
            frames = shown.work.frames_of(step)
            if frames:
                shown.go_to(frames.start)
            of = f"frame {frames.start}, {step.pixels:,} px" if frames else "nothing"
        act = {"draw": "drawing", "reopen": "reopening"}.get(step.act, "decision on")
        self.said.emit(f"{what}: {act} {of}.")

    def draw(self) -> None:
        """Take the brush on the adjudicated layer."""
        if self.shown is None:
            return
        layer = self.shown.layer
        self.shown.viewer.layers.selection.active = layer
        layer.selected_label = 1
        layer.mode = "paint"

    # --- notes

    def _on_note(self) -> None:
        if self.shown is None or self.region is None:
            return
        self.shown.work.notes[self.region.number] = self.panel.note.note()
        self.shown.note_edited()
        self.panel.table.refresh()

    # --- showing

    def refresh(self) -> None:
        """Show the decisions as they are now."""
        shown, panel = self.shown, self.panel
        if shown is None:
            return
        panel.table.refresh()
        panel.show_progress(shown.work.decided_count, len(shown.work.regions))
        history = shown.work.history
        panel.buttons["undo"].setEnabled(bool(history.done))
        panel.buttons["redo"].setEnabled(bool(history.undone))
        if self.region is not None:
            panel.table.select(self.region)
            unit = length_unit(shown.grid)
            panel.place.setText(described(shown.work, self.region, self._names(), unit))
        else:
            panel.place.clear()

    def _bind_keys(self, bound: bool) -> None:
        shown = self.shown
        assert shown is not None  # asked by the callers
        acts = self._by_name()
        for act, key in KEYS.items():
            shown.viewer.bind_key(key, acts[act] if bound else None, overwrite=True)
        # An annotator's mask must not go back behind what is decided over it, and
        # the adjudicated one goes back by decisions too.
        for layer in (shown.layer, shown.provenance_layer, *shown.masks):
            for act, key in UNDO_KEYS.items():
                layer.bind_key(key, acts[act] if bound else None, overwrite=True)
        for act, key in UNDO_KEYS.items():
            shown.viewer.bind_key(key, acts[act] if bound else None, overwrite=True)

    def _bind_box(self) -> None:
        """Let the keys work while the box round the region is the active layer."""
        box = self.shown.marks.box_layer if self.shown is not None else None
        if box is not None:
            acts = self._by_name()
            for act, key in (*KEYS.items(), *UNDO_KEYS.items()):
                box.bind_key(key, acts[act], overwrite=True)
