"""Walk from region to region, decide, draw, undo: what the buttons and keys do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QShortcut

from napari_microus.core.compare.adjudication.between import contour_between
from napari_microus.core.compare.adjudication.carry import same_stretch
from napari_microus.core.compare.adjudication.selection import open_regions
from napari_microus.core.compare.adjudication.votes import Decision, as_two
from napari_microus.core.compare.naming import OPEN
from napari_microus.core.errors import MicroUSError, plain_words
from napari_microus.widgets._shared.controls import length_unit
from napari_microus.widgets._shared.key_table import ADJUDICATE as KEYS
from napari_microus.widgets._shared.key_table import ADJUDICATE_UNDO as UNDO_KEYS
from napari_microus.widgets._shared.key_table import sequence
from napari_microus.widgets.compare.part_tools import ADVICE, PartTools
from napari_microus.widgets.compare.region_table import Annotators, called, described

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_microus.core.compare.adjudication.history import Step
    from napari_microus.core.compare.naming import Naming
    from napari_microus.core.compare.regions import DisputedRegion
    from napari_microus.widgets.compare.adjudicating import AdjudicationLayers
    from napari_microus.widgets.compare.part_tools import Tool
    from napari_microus.widgets.compare.work_panel import WorkPanel

_ALL_DECIDED = (
    "Every listed region is decided. Choose one in the list to change it, or save."
)


class Acts(QObject):
    """What can be done in an adjudication; ``said(text)`` tells the user something.

    Parameters
    ----------
    panel : WorkPanel
        Its buttons are connected here.
    """

    said = Signal(str)

    def __init__(self, panel: WorkPanel) -> None:
        super().__init__(panel)
        self._panel = panel
        self._shown: AdjudicationLayers | None = None
        self._naming: Naming = OPEN
        self.tools: PartTools | None = None
        self.region: DisputedRegion | None = None
        self.who: Callable[[], str] = str
        self.is_locked = False
        # Walking on never ends on a decided region that one key more would change.
        self._is_chosen = False
        self._planned: tuple[str, Any] | None = None
        for act, do in self._by_name().items():
            panel.buttons[act].clicked.connect(do)
        panel.table.chosen.connect(self._on_row)
        panel.draw_button.clicked.connect(self.draw)
        panel.part.tool_chosen.connect(self._on_tool)
        panel.part.size.valueChanged.connect(self._on_size)
        panel.part.slider.valueChanged.connect(self._on_slider)
        panel.part.between_button.clicked.connect(self.set_between)
        panel.several.preview_button.clicked.connect(self.preview)
        panel.several.apply_button.clicked.connect(self.apply)
        panel.several.cancel_button.clicked.connect(self.cancel_preview)
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
        self._shown, self.region = shown, None
        shown.changed.connect(self.refresh)
        self.tools = PartTools(
            shown,
            self._panel.part.size.value,
            self._on_mark,
            self._panel.part.switch_off,
        )
        self._bind_keys(True)
        self._panel.note.add_reasons(
            {note.reason for note in shown.work.notes.values()}
        )

    def release(self) -> None:
        """Work on none."""
        if self._shown is None:
            return
        assert self.tools is not None  # made with it
        self.tools.leave()
        self._panel.part.switch_off()
        self.cancel_preview()
        self._bind_keys(False)
        self._shown = self.region = self.tools = None

    def show_naming(self, naming: Naming) -> None:
        """Use other names and colours."""
        self._naming = naming
        shown = self._shown
        if shown is None:
            return
        unit = length_unit(shown.grid)
        self._panel.show_naming(naming, shown.more.names, unit)
        for button, decision in self._panel.more_buttons:
            if button.property("microus") is None:
                button.setProperty("microus", str(decision))
                button.clicked.connect(self._on_more)
        self._panel.table.fill(shown.work, self._names(), unit)
        self.refresh()

    def _names(self) -> Annotators:
        return called(self._naming, self._shown.more.names if self._shown else ())

    # --- walking

    def next_region(self, viewer: Any = None) -> None:
        """Go to the next listed region without a decision, else to the next one."""
        if self._shown is None:
            return
        listed = self._panel.table.listed()
        after = self.region.number if self.region else 0
        at = listed.index(after) + 1 if after in listed else 0
        verdicts = self._shown.work.verdicts
        order = listed[at:] + listed[:at]
        number = next((n for n in order if n not in verdicts), None)
        if number is None:
            self._step(+1)
        else:
            self.show_region(self._shown.work.region(number))

    def previous_region(self, viewer: Any = None) -> None:
        """Go to the listed region before this one."""
        self._step(-1)

    def _step(self, by: int) -> None:
        listed = self._panel.table.listed()
        if self._shown is None or not listed:
            return
        number = self.region.number if self.region else 0
        at = listed.index(number) + by if number in listed else 0
        self.show_region(self._shown.work.region(listed[at % len(listed)]))

    def show_region(self, region: DisputedRegion) -> None:
        """Bring a region into view and describe it; it can be decided anew."""
        if self._shown is None:
            return
        self.region = region
        self._is_chosen = True
        self._shown.look_at(region)
        self._bind_box()
        self._panel.note.show_note(self._shown.work.notes.get(region.number))
        self.refresh()

    def _on_row(self, number: int) -> None:
        if self._shown is not None:
            self.show_region(self._shown.work.region(number))

    # --- deciding

    def accept_first(self, viewer: Any = None) -> None:
        """Give the region to the annotator who comes first."""
        is_swapped = self._naming.is_swapped
        self.decide(Decision.nonexpert if is_swapped else Decision.expert)

    def accept_second(self, viewer: Any = None) -> None:
        """Give the region to the annotator who comes second."""
        is_swapped = self._naming.is_swapped
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
        shown, region = self._ready(), self.region
        if shown is None or region is None:
            return
        if region.number in shown.work.verdicts and not self._is_chosen:
            self.said.emit(_ALL_DECIDED)
            return
        shown.work.decide(region, decision)
        shown.tell_changed()
        self._go_on()

    def _go_on(self) -> None:
        self._is_chosen = False
        assert self._shown is not None  # something was decided in it
        verdicts = self._shown.work.verdicts
        if any(number not in verdicts for number in self._panel.table.listed()):
            self.next_region()
        else:
            self.said.emit(_ALL_DECIDED)

    def reopen(self, viewer: Any = None) -> None:
        """Take the decision on the region in view back."""
        shown, region = self._ready(), self.region
        if shown is None or region is None:
            return
        if region.number in shown.work.verdicts or shown.work.open_share(region) < 1:
            shown.work.reopen(region)
            shown.tell_changed()
            self._is_chosen = True
        else:
            self.said.emit("This region is open already.")

    def undo(self, viewer: Any = None) -> None:
        """Undo the last decision or stroke and go there."""
        shown = self._ready()
        if shown is not None:
            self._tell("Undone", shown.undo(), "There is nothing to undo.")

    def redo(self, viewer: Any = None) -> None:
        """Do again what was undone last and go there."""
        shown = self._ready()
        if shown is not None:
            self._tell("Done again", shown.redo(), "There is nothing to do again.")

    def _tell(self, what: str, step: Step | None, otherwise: str) -> None:
        shown = self._shown
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
        if self._shown is None:
            return
        layer = self._shown.layer
        self._shown.viewer.layers.selection.active = layer
        layer.selected_label = 1
        layer.mode = "paint"

    def _ready(self) -> AdjudicationLayers | None:
        """Return the adjudication to change now, None while it must not change."""
        if self._shown is None or self.is_locked:
            return None
        self._shown.work.who = self.who()
        self.said.emit("")
        return self._shown

    # --- a part

    def _on_tool(self, name: str) -> None:
        if self.tools is None:
            return
        if name:
            self.tools.use(_as_tool(name))
            self.said.emit(ADVICE[name])
        else:
            self.tools.leave()

    def _on_size(self, _: int) -> None:
        if self.tools is not None:
            self.tools.show_size()

    def _on_mark(self, frame: int, mark: NDArray[np.bool_]) -> None:
        shown = self._ready()
        if shown is None:
            return
        box = (
            slice(frame, frame + 1),
            slice(0, mark.shape[0]),
            slice(0, mark.shape[1]),
        )
        decision = self._panel.part.decision()
        found = shown.work.decide_pixels(box, mark[np.newaxis], decision)
        if found is None:
            self.said.emit("No disputed pixel of a listed region was marked.")
            return
        shown.tell_changed()
        self.region = found
        self.refresh()

    # --- in between

    def _on_slider(self, _: int) -> None:
        region, shown = self.region, self._shown
        inner = self._between()
        if region is None or shown is None or inner is None:
            return
        marked = {}
        for index, frame in enumerate(range(region.box[0].start, region.box[0].stop)):
            marked[frame] = np.zeros(shown.work.mask.shape[1:], bool)
            marked[frame][region.box[1:]] = inner[index] & region.mask[index]
        shown.show_preview(marked)

    def _share(self) -> float:
        share = self._panel.part.slider.value() / 100
        return 1 - share if self._naming.is_swapped else share

    def _between(self) -> NDArray[np.bool_] | None:
        """Return the contour for the slider in the region in view; say why not."""
        if self.region is None or self._shown is None:
            return None
        _, y, x = self._shown.grid.spacing_mm
        try:
            return contour_between(
                self._shown.codes(), self.region, self._share(), (y, x)
            )
        except MicroUSError as error:
            self.said.emit(plain_words(error))
            return None

    def set_between(self) -> None:
        """Decide the region in view by a contour between the two."""
        shown, region = self._ready(), self.region
        inner = self._between()
        if shown is None or region is None or inner is None:
            return
        shown.show_preview(None)
        shown.work.decide_between(region, inner, self._share())
        shown.tell_changed()
        self._go_on()

    # --- several at once

    def preview(self) -> None:
        """Show what a decision on several regions would change."""
        shown, several = self._shown, self._panel.several
        if shown is None:
            return
        which = several.which.currentData()
        if which == "neighbours":
            self._plan_neighbours()
            return
        if which == "selected":
            regions = [shown.work.region(n) for n in self._panel.table.selected()]
        else:
            gap = several.gap.value() if which == "gap" else None
            regions = open_regions(shown.work, gap)
        if not regions:
            self.cancel_preview()
            several.count.setText("No region is meant.")
            return
        marked: dict[int, NDArray[np.bool_]] = {}
        for region in regions:
            z = region.box[0]
            for index, frame in enumerate(range(z.start, z.stop)):
                mask = marked.setdefault(
                    frame, np.zeros(shown.work.mask.shape[1:], bool)
                )
                mask[region.box[1:]] |= region.mask[index]
        self._planned = ("regions", regions)
        shown.show_preview(marked)
        pixels = sum(region.pixels for region in regions)
        several.show_preview(
            f"{len(regions)} regions, {pixels:,} px in {len(marked)} frames would go "
            f"to {several.in_favour.currentText()}."
        )

    def _plan_neighbours(self) -> None:
        shown, region, several = self._shown, self.region, self._panel.several
        assert shown is not None  # asked by the caller
        if region is None:
            several.count.setText("Show a region first.")
            return
        codes = as_two(shown.codes(), shown.work.coding.annotators)
        near = range(
            max(0, region.frame - several.frames.value()),
            min(len(codes), region.frame + several.frames.value() + 1),
        )
        frames = [frame for frame in near if frame != region.frame]
        marks = same_stretch(codes, region, frames)
        marked = {f: mark for f, mark in zip(frames, marks, strict=True) if mark.any()}
        pixels = sum(int(mark.sum()) for mark in marked.values())
        if not marked:
            self.cancel_preview()
            several.count.setText("Nothing is disputed on that stretch nearby.")
            return
        self._planned = ("pixels", marked)
        shown.show_preview(marked)
        several.show_preview(
            f"{pixels:,} px in frames {', '.join(map(str, marked))} would go to "
            f"{several.in_favour.currentText()}."
        )

    def apply(self) -> None:
        """Decide what the preview shows, as one step."""
        shown, planned = self._ready(), self._planned
        if shown is None or planned is None:
            return
        self.cancel_preview()
        kind, what = planned
        decision = self._panel.several.decision()
        if kind == "regions":
            shown.work.decide(what, decision)
            shown.tell_changed()
        else:
            first, last = min(what), max(what)
            inside = np.zeros((last - first + 1, *shown.work.mask.shape[1:]), bool)
            for frame, mark in what.items():
                inside[frame - first] = mark
            rows, columns = shown.work.mask.shape[1:]
            box = (slice(first, last + 1), slice(0, rows), slice(0, columns))
            shown.work.decide_pixels(box, inside, decision)
            shown.tell_changed()

    def cancel_preview(self) -> None:
        """Take the preview away; nothing was changed."""
        self._planned = None
        self._panel.several.show_preview("")
        if self._shown is not None:
            self._shown.show_preview(None)

    # --- notes

    def _on_note(self) -> None:
        if self._shown is None or self.region is None:
            return
        self._shown.work.notes[self.region.number] = self._panel.note.note()
        self._shown.note_edited()
        self._panel.table.refresh()

    # --- showing

    def refresh(self) -> None:
        """Show the decisions as they are now."""
        shown, panel = self._shown, self._panel
        if shown is None:
            return
        panel.table.refresh()
        panel.show_progress(shown.work.settled, len(shown.work.regions))
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
        shown = self._shown
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
        box = self._shown.box_layer if self._shown is not None else None
        if box is not None:
            acts = self._by_name()
            for act, key in (*KEYS.items(), *UNDO_KEYS.items()):
                box.bind_key(key, acts[act], overwrite=True)


def _as_tool(name: str) -> Tool:
    assert name in ("brush", "lasso", "along")  # the names of the buttons
    return name  # type: ignore[return-value]
