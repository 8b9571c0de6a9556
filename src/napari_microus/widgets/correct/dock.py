"""Dock widget that corrects a capsule frame by frame, and lets the others follow."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from napari.layers import Labels

from napari_microus.core.errors import InputError, MicroUSError, plain_words
from napari_microus.widgets._shared.accessible import describe_controls
from napari_microus.widgets._shared.belonging import remember_scans
from napari_microus.widgets._shared.closing import guard_closing
from napari_microus.widgets._shared.drawn import (
    begin_notes,
    checksum,
    edited_frames,
    is_as_drawn,
    note_drawn,
)
from napari_microus.widgets._shared.edits import EditWatcher, shown_frame
from napari_microus.widgets._shared.first_use import welcome_once
from napari_microus.widgets._shared.footer import Footer
from napari_microus.widgets._shared.layers import is_annotation
from napari_microus.widgets._shared.opening import SEGMENT, ask_scans, open_dock
from napari_microus.widgets._shared.saving import ask_path, save
from napari_microus.widgets._shared.view import refit
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets.correct import keys
from napari_microus.widgets.correct.autosaving import Autosaving
from napari_microus.widgets.correct.capsule import Capsule, find_scan
from napari_microus.widgets.correct.controls import CorrectControls
from napari_microus.widgets.correct.evidence import Evidence
from napari_microus.widgets.correct.frame_tools import FrameTools
from napari_microus.widgets.correct.handles import OutlineHandles
from napari_microus.widgets.correct.other_frames import OtherFrames
from napari_microus.widgets.correct.pointer import ADVICE, PointerTools

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari
    from napari.layers import Layer
    from qtpy.QtGui import QHideEvent, QShowEvent
    from qtpy.QtWidgets import QWidget

    from napari_microus.widgets.correct.pointer import Mode


class CorrectWidget(CorrectControls):
    """Correct a capsule with clicks, handles and small tools; let frames follow.

    Parameters
    ----------
    viewer : Viewer or ViewerModel
        Viewer to work in.
    parent : QWidget, optional
        Qt parent.
    """

    def __init__(
        self, viewer: napari.viewer.Viewer, *, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        viewer = getattr(viewer, "__wrapped__", viewer)
        remember_scans(viewer)
        self._viewer = viewer
        self.capsule: Capsule | None = None
        self.handles: OutlineHandles | None = None
        self.pointer = PointerTools(self, viewer)
        self.frame_tools = FrameTools(self, viewer)
        self.other_frames = OtherFrames(self)
        self._known: dict[int, int] = {}
        self._is_empty: dict[int, bool] = {}
        self._was_shown = False
        self._watcher: EditWatcher | None = None
        self.ask_path: Callable[[Labels], str] = ask_path
        self.autosaving = Autosaving(self)
        self.evidence = Evidence(self)
        self.segment_wanted.connect(self._go_to_segment)
        self.open_wanted.connect(self._ask_scans)
        self.footer = Footer(viewer)
        self.footer.serve(self)
        self.keys_button = self.footer.keys_button
        self.column.insertWidget(self.column.count() - 1, self.footer)
        self._connect()
        self._fill_layers()
        self.refresh()
        describe_controls(self)

    # ------------------------------------------------------------- building

    @property
    def viewer(self) -> napari.viewer.Viewer:
        """The viewer that the dock works in."""
        return self._viewer

    def showEvent(self, event: QShowEvent) -> None:
        """Look after the window's closing and view, once; Qt's name."""
        super().showEvent(event)
        if not self._was_shown:
            self._was_shown = True
            guard_closing(self, self._viewer)
            refit(self, self._viewer)
            welcome_once(self, self._viewer)

    def _go_to_segment(self) -> None:
        open_dock(self._viewer, SEGMENT)

    def _ask_scans(self) -> None:
        ask_scans(self._viewer)

    def hideEvent(self, event: QHideEvent) -> None:
        """Put away what draws on the canvas with the dock; Qt's name."""
        super().hideEvent(event)
        if not event.spontaneous():  # the window is only minimised
            self.stop_drawing()
            for button in self.tool_buttons.values():
                button.setChecked(False)

    def _connect(self) -> None:
        self.layer_box.activated.connect(self._choose_from_box)
        self.strip.chosen.connect(self.go_to)
        self.approve_button.clicked.connect(self.approve)
        self.next_button.clicked.connect(self.go_to_next)
        self.doubtful_button.clicked.connect(self.go_to_doubtful)
        for mode, button in self.tool_buttons.items():
            button.toggled.connect(partial(self._toggle_tool, mode))
        self.circle.valueChanged.connect(self.pointer.show_circle)
        self.frame_tools.connect()
        self.other_frames.connect_buttons()
        self.handle_button.toggled.connect(self._toggle_handles)
        self.save_button.clicked.connect(self.save)
        self.restore_button.clicked.connect(self.restore)
        keys.open_for_keys(self)
        layers = self._viewer.layers
        layers.selection.events.active.connect(self._follow_selection)
        layers.events.inserted.connect(self._fill_layers)
        layers.events.removed.connect(self._fill_layers)
        self._viewer.dims.events.current_step.connect(self._on_frame)
        self.destroyed.connect(self._leave)

    # ------------------------------------------------------------- the capsule

    def _fill_layers(self, event: Any = None) -> None:
        """List the layers that can be corrected, and keep the choice."""
        chosen = None if self.capsule is None else self.capsule.layer
        self.layer_box.clear()
        for layer in self._viewer.layers:
            if self._is_correctable(layer):
                self.layer_box.addItem(layer.name, layer)
        if chosen is not None and chosen not in self._viewer.layers:
            self._drop(tr("The capsule is gone."))
        elif chosen is not None:
            self.layer_box.setCurrentIndex(self.layer_box.findText(chosen.name))
        elif self.layer_box.count():
            self._follow_selection()
            if self.capsule is None:
                self.choose(self.layer_box.itemData(self.layer_box.count() - 1))
        if self.handles is not None and not self.handles.is_shown:
            self.handle_button.setChecked(False)

    def _choose_from_box(self) -> None:
        layer = self.layer_box.currentData()
        if layer is not None:
            self.choose(layer)

    def _follow_selection(self, event: Any = None) -> None:
        active = self._viewer.layers.selection.active
        if active is not None and self._is_correctable(active):
            self.choose(active)

    def _is_correctable(self, layer: Layer) -> bool:
        is_drawn = isinstance(layer, Labels) and is_annotation(layer)
        return is_drawn and find_scan(self._viewer, layer) is not None

    def choose(self, layer: Labels) -> None:
        """Correct this capsule from now on."""
        if self.capsule is not None and layer is self.capsule.layer:
            return
        if self.is_running:
            self.say(
                tr("Wait for the end, or cancel, before another capsule is chosen.")
            )
            return
        self._drop("")
        scan = find_scan(self._viewer, layer)
        assert scan is not None  # only such layers are listed
        try:
            self.capsule = Capsule(layer, scan)
        except InputError as error:
            self.say(plain_words(error))
            self.refresh()
            return
        self.layer_box.setCurrentIndex(self.layer_box.findText(layer.name))
        self._know_all()
        begin_notes(layer, self._known)
        edited = edited_frames(self._known, layer.metadata)
        self.capsule.review.edited |= set(edited or ())
        self._watcher = EditWatcher(self._viewer, layer, with_dabs=False)
        self._watcher.edited.connect(self._on_edit)
        self._watcher.replaced.connect(self._on_replaced)
        unit = self.capsule.pixel()[1]
        self.grow_by.setSuffix(f" {unit}")
        self.autosaving.begin(self.capsule)
        self.refresh()

    def _drop(self, words: str) -> None:
        for button in (*self.tool_buttons.values(), self.handle_button):
            button.setChecked(False)
        self.pointer.forget()
        if self._watcher is not None:
            self._watcher.close()
            self._watcher = None
        self.autosaving.end()
        self.restore_button.setVisible(False)
        self.capsule = None
        self._known, self._is_empty = {}, {}
        self.other_frames.forget_model()
        self.say(words)
        self.refresh()

    def _know_all(self) -> None:
        """Take every frame as it is now."""
        assert self.capsule is not None
        for frame in range(self.capsule.count):
            self._know(frame)

    def _know(self, frame: int) -> bool:
        """Take a frame as it is now, and return whether it has changed."""
        assert self.capsule is not None
        mask = self.capsule.masks()[frame]
        digest = checksum(mask)
        if digest == self._known.get(frame):
            return False
        self._known[frame] = digest
        self._is_empty[frame] = not mask.any()
        return True

    def _on_edit(self, box: tuple[slice, ...]) -> None:
        """Note which frames a person changed; a redraw alone changes none."""
        if self.capsule is None or self.is_drawing:
            return
        frames = range(1) if len(box) == 2 else range(box[0].start, box[0].stop)
        changed = False
        for frame in frames:
            if not self._know(frame):
                continue
            changed = True
            self.pointer.clicks.pop(frame, None)
            # An undo may have gone back to what the model drew.
            if is_as_drawn(self.capsule.layer, frame, self._known[frame]):
                self.capsule.review.edited.discard(frame)
            else:
                self.capsule.review.edit(frame)
        if changed:
            self.after_change()

    def _on_replaced(self) -> None:
        assert self.capsule is not None
        layer = self.capsule.layer
        # What was being drawn belongs to the data that are gone.
        self.pointer.forget()
        if self.handles is not None:
            handles, self.handles = self.handles, None
            handles.close(keep=False)
        self._drop("")
        self.choose(layer)

    def after_change(self) -> None:
        """Keep and show the review after a frame was changed."""
        if self.capsule is not None:
            self.capsule.keep_review()
            self.autosaving.changed()
        self.refresh()

    @property
    def frame(self) -> int:
        """The frame in view."""
        if self.capsule is None:
            return 0
        return shown_frame(self._viewer, self.capsule.layer)

    def _on_frame(self, event: Any = None) -> None:
        if self.handles is not None and self.handles.frame != self.frame:
            self.handle_button.setChecked(False)
        self.refresh()

    def draw(self, frames: dict[int, Any], *, by_person: bool) -> list[int]:
        """Put masks into frames as one step, and note who drew them."""
        assert self.capsule is not None
        changed = self.capsule.draw(frames)
        for frame in changed:
            self._know(frame)
            if by_person:
                self.capsule.review.edit(frame)
            else:
                note_drawn(self.capsule.layer, {frame: self._known[frame]})
        self.after_change()
        return changed

    # ------------------------------------------------------------- review

    def go_to(self, frame: int) -> None:
        """Show a frame."""
        if self.capsule is None or self.capsule.layer.ndim == 2:
            return
        layer = self.capsule.layer
        point = layer.data_to_world((frame, *(0,) * (layer.ndim - 1)))
        axis = self._viewer.dims.ndim - layer.ndim
        self._viewer.dims.set_point(axis, point[0])

    def approve(self) -> None:
        """Call the frame in view right, and go to the next that is not approved."""
        if self.capsule is None:
            return
        self.handle_button.setChecked(False)
        self.capsule.review.approved.add(self.frame)
        self.after_change()
        self.go_to_next()

    def go_to_next(self) -> None:
        """Show the next frame that is not approved."""
        if self.capsule is None:
            return
        frame = self.capsule.review.next_unapproved(self.frame)
        if frame is None:
            self.say(tr("Every frame is approved."))
        else:
            self.go_to(frame)

    def go_to_doubtful(self) -> None:
        """Show the frame of which the model was least sure."""
        if self.capsule is None:
            return
        frame = self.capsule.review.next_doubtful()
        if frame is None:
            self.say(
                tr("The model was about equally sure of all frames that are left.")
            )
        else:
            self.go_to(frame)

    # ------------------------------------------------------------- this frame

    @property
    def is_drawing(self) -> bool:
        """Whether a frame is shown as it will be, and is not yet in the history."""
        return self.handles is not None or self.pointer.is_dragging

    def stop_drawing(self) -> None:
        """Put what is being drawn into the history."""
        self.handle_button.setChecked(False)
        self.pointer.end()

    def _toggle_tool(self, mode: Mode, is_on: bool) -> None:
        if not is_on:
            if self.pointer.mode == mode:
                self.pointer.end()
                self.pointer.leave()
                self.say("")
            return
        if self.capsule is None:
            self.tool_buttons[mode].setChecked(False)
            return
        self.stop_drawing()
        for other, button in self.tool_buttons.items():
            if other != mode:
                button.setChecked(False)
        self.pointer.use(mode)
        self.say(ADVICE[mode])

    def _toggle_handles(self, is_on: bool) -> None:
        if not is_on:
            if self.handles is not None:
                handles, self.handles = self.handles, None
                handles.close()
                self.note_edit(handles.frame)
                self.say("")
            return
        if self.capsule is None:
            self.handle_button.setChecked(False)
            return
        for button in self.tool_buttons.values():
            button.setChecked(False)
        try:
            self.handles = OutlineHandles(self._viewer, self.capsule, self.frame)
        except InputError as error:
            self.handle_button.setChecked(False)
            self.say(plain_words(error))
            return
        self.say(tr("Drag the corners; switch the handles off to keep the outline."))
        self.evidence.ask(self.handles)

    def note_edit(self, frame: int) -> None:
        """Note that a person changed a frame, if it is another now."""
        assert self.capsule is not None
        if self._know(frame):
            self.pointer.clicks.pop(frame, None)
            self.capsule.review.edit(frame)
            self.after_change()

    @property
    def is_running(self) -> bool:
        """True while other frames are being computed."""
        return self.other_frames.is_running

    # ------------------------------------------------------------- files

    def save(self) -> None:
        """Ask for a path, and save the capsule with its review."""
        if self.capsule is None:
            return
        self.handle_button.setChecked(False)
        self.capsule.keep_review()
        path = self.ask_path(self.capsule.layer)
        if not path:
            return
        try:
            self.say(f"Saved {save(self.capsule.layer, path)}.")
        except MicroUSError as error:
            self.say(plain_words(error))
            return
        self.autosaving.saved()
        self.restore_button.setVisible(False)

    def offer(self, words: str) -> None:
        """Offer to bring back what was not saved."""
        self.restore_button.setText(words)
        self.restore_button.setVisible(True)

    def restore(self) -> None:
        """Bring back what was not saved, as one step that can be undone."""
        found = self.autosaving.found
        if self.capsule is None or found is None:
            return
        from napari_microus.core.edit.review import Review

        self.capsule.draw({k: found.mask[k] for k in range(self.capsule.count)})
        self.capsule.review = Review.from_provenance(
            self.capsule.count,
            found.provenance
            | {"confidence": self.capsule.provenance.get("confidence", {})},
        )
        self._know_all()
        self.restore_button.setVisible(False)
        self.after_change()
        self.say(tr("Brought back what was not saved; Ctrl+Z undoes it."))

    # ------------------------------------------------------------- showing

    def say(self, words: str) -> None:
        """Show one sentence."""
        self.message.setText(words)
        self.message.setVisible(bool(words))

    def refresh(self) -> None:
        """Show what can be pressed, and the review as it is now."""
        has = self.capsule is not None
        self.empty.setVisible(not has)
        for button in (
            *(self.approve_button, self.next_button, self.doubtful_button),
            *(*self.tool_buttons.values(), self.handle_button, self.smooth_button),
            *(self.fill_button, self.largest_button, self.copy_button),
            *(self.grow_button, self.shrink_button, self.clear_button),
            *(self.agreed_button, self.save_button),
        ):
            button.setEnabled(has)
        is_sweep = has and self.capsule is not None and self.capsule.count > 1
        for button in (
            *(self.interpolate_button, self.back_button),
            *(self.on_button, self.learn_button),
        ):
            button.setEnabled(is_sweep and not self.is_running)
        if self.capsule is None:
            self.strip.show_states([], 0)
            self.progress_label.clear()
            return
        review = self.capsule.review
        states = [
            review.state(k, self._is_empty.get(k, True))
            for k in range(self.capsule.count)
        ]
        frame = self.frame
        self.strip.show_states(states, frame)
        self.progress_label.setText(
            f"{review.sentence}; frame {frame}: {states[frame].value}."
        )

    def _leave(self) -> None:
        self.pointer.leave()
