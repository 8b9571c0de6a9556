"""The boxes and buttons of the *Correct* dock; what they do is in `dock`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QFormLayout,
    QGridLayout,
    QGroupBox,
    QLineEdit,
    QMenu,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_microus.widgets._shared.boxes import combo
from napari_microus.widgets._shared.controls import (
    WHEEL_GUARD,
    push_button,
    scrolled,
    text,
)
from napari_microus.widgets._shared.dock import NARROWEST, Dock
from napari_microus.widgets._shared.empty_state import EmptyState
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets.correct.frame_tools import OPEN, RANGE, THIS
from napari_microus.widgets.correct.strip import ReviewStrip

if TYPE_CHECKING:
    from napari_microus.widgets.correct.pointer import Mode

_STEP = 0.5
_NARROWEST = 76  # pixels of a box, so that three fit into a row


class CorrectControls(Dock):
    """Lays the dock out; each control is an attribute."""

    segment_wanted = Signal()
    open_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._make_controls()
        self._lay_out()

    def _make_controls(self) -> None:
        self.layer_box = combo(
            tr("The capsule to correct; follows the layer you select.")
        )
        self.empty = EmptyState(
            tr("No capsule to correct. Segment a scan first, or open a saved capsule.")
        )
        self.empty.add(
            tr("Segment capsule"),
            tr("Opens the dock that draws a capsule in the open scan."),
            self.segment_wanted.emit,
        )
        self.empty.add(
            tr("Open scan and capsule…"),
            tr("Choose both files; the capsule lies over its scan."),
            self.open_wanted.emit,
        )
        self.strip = ReviewStrip()
        self.progress_label = text()
        self.approve_button = _button(
            tr("Approve"),
            tr("This frame is right: go to the next that is not approved (G)."),
        )
        self.next_button = _button(
            tr("Next"), tr("Next frame that is not approved (N).")
        )
        self.doubtful_button = _button(
            tr("Look here"),
            tr("Frame the model was least sure of and nobody touched (J)."),
        )
        self.click_button = _button(
            tr("Click"),
            tr(
                "Click where the outline is wrong: beyond it, what is missing is "
                "added; inside it, what is too much is taken away (K)."
            ),
            checkable=True,
        )
        self.scribble_button = _button(
            tr("Scribble"),
            tr(
                "Scribble over what is missing, beginning outside the outline, "
                "or over what is too much, beginning inside it."
            ),
            checkable=True,
        )
        self.box_button = _button(
            tr("Box"),
            tr(
                "Drag a box round the gland: the outline is stretched into it; "
                "in an empty frame a new one begins."
            ),
            checkable=True,
        )
        self.nudge_button = _button(
            tr("Nudge"),
            tr("Push the outline with a soft circle, from inside or outside (U)."),
            checkable=True,
        )
        self.circle = QSpinBox()
        self.circle.setRange(2, 100)
        self.circle.setValue(30)
        self.circle.setPrefix(tr("circle") + " ")
        self.circle.setSuffix(" %")
        self.circle.setToolTip(tr("Of the capsule's width: how wide the circle is."))
        self.handle_button = _button(
            tr("Handles"),
            tr(
                "Drag the corners of the outline, or inside it to move all; hold "
                "Shift as you let go to snap a corner to the border that the "
                "model sees. napari's Shapes tools add and remove corners (H)."
            ),
            checkable=True,
        )
        self.tool_buttons: dict[Mode, QPushButton] = {
            "click": self.click_button,
            "scribble": self.scribble_button,
            "box": self.box_button,
            "nudge": self.nudge_button,
        }
        self.interpolate_button = _button(
            tr("Interpolate"),
            tr(
                "Fill the frames between those you drew or approved, by their "
                "shapes and what the model sees between them."
            ),
        )
        self.carry_count = QSpinBox()
        self.carry_count.setRange(1, 999)
        self.carry_count.setValue(5)
        self.carry_count.setToolTip(
            tr("Through how many frames an outline is carried.")
        )
        self.back_button = _button(
            tr("◀ Carry"),
            tr("Carry this frame's outline to the frames before, by the images."),
        )
        self.on_button = _button(
            tr("Carry ▶"),
            tr("Carry this frame's outline to the frames after, by the images."),
        )
        self.learn_button = _button(
            tr("Learn from my corrections"),
            tr(
                "Adapt the model to this scan and draw the frames that nobody "
                "touched again. Frames you drew or approved stay."
            ),
        )
        self.keep_button = _button(
            tr("Keep the taught model…"),
            tr("Put the adapted model into your library, under a name."),
        )
        self.keep_button.setVisible(False)
        self.smooth_button = _button(
            tr("Smooth"), tr("Take notches out of this frame.")
        )
        self.fill_button = _button(
            tr("Fill holes"), tr("Fill what the capsule encloses.")
        )
        self.largest_button = _button(
            tr("Keep largest"),
            tr("Keep the largest region of this frame, drop the others."),
        )
        self.copy_button = _button(
            tr("Copy to next"), tr("Put this frame's capsule into the next frame.")
        )
        self.clear_button = _button(tr("No gland here"), tr("Empty this frame."))
        self.agreed_button = _button(
            tr("Keep to hard region"),
            tr(
                "Outside the hard region of two annotators, where both agree, "
                "take what both drew. Choose the two."
            ),
        )
        self.agreed_menu = QMenu(self)
        self.agreed_button.setMenu(self.agreed_menu)
        self.apply_box = combo(tr("Which frames the tools below change, in one step."))
        self.apply_box.addItems([THIS, OPEN, RANGE])
        self.range_edit = QLineEdit()
        self.range_edit.setPlaceholderText("0-9,12")
        self.range_edit.setToolTip(tr("Frames, counted from 0, such as 0-9,12."))
        self.range_edit.setVisible(False)
        self.apply_box.currentTextChanged.connect(
            lambda choice: self.range_edit.setVisible(choice == RANGE)
        )
        self.grow_by = QDoubleSpinBox()
        self.grow_by.setToolTip(tr("How far the outline moves outwards or inwards."))
        self.grow_by.setRange(0.1, 20)
        self.grow_by.setSingleStep(_STEP)
        self.grow_by.setValue(_STEP)
        self.grow_button = _button(
            tr("Grow"), tr("Move the outline outwards by this much.")
        )
        self.shrink_button = _button(
            tr("Shrink"), tr("Move the outline inwards by this much.")
        )
        self.save_button = _button(
            tr("Save…"), tr("Write the capsule with its review in the scan's geometry.")
        )
        self.restore_button = _button("", tr("Bring back what was not saved."))
        self.restore_button.setVisible(False)
        self.bar = QProgressBar()
        self.bar.setVisible(False)
        self.cancel_button = _button(tr("Cancel"), tr("Stop; nothing is changed."))
        self.cancel_button.setVisible(False)
        self.message = text()
        for box in (self.layer_box, self.carry_count, self.circle, self.grow_by):
            box.installEventFilter(WHEEL_GUARD)
            box.setMinimumWidth(_NARROWEST)

    def _lay_out(self) -> None:
        rows = QFormLayout()
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        rows.addRow(tr("Capsule"), self.layer_box)
        review = _group(
            tr("Review"),
            [self.strip],
            [self.progress_label],
            [self.approve_button, self.next_button, self.doubtful_button],
        )
        frame = _group(
            tr("Outline of this frame"),
            [self.click_button, self.scribble_button, self.box_button],
            [self.nudge_button, self.circle],
            [self.handle_button, self.copy_button],
        )
        tools = _group(
            tr("Tools"),
            [text(tr("Apply to")), self.apply_box],
            [self.range_edit],
            [self.smooth_button, self.fill_button],
            [self.largest_button, self.clear_button],
            [self.grow_button, self.shrink_button],
            [text(tr("by")), self.grow_by],
            [self.agreed_button],
        )
        others = _group(
            tr("Other frames"),
            [self.interpolate_button],
            [self.back_button, self.on_button, self.carry_count],
            [self.learn_button],
            [self.keep_button],
        )
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.addWidget(self.empty)
        column.addLayout(rows)
        for part in (
            self.restore_button,
            review,
            frame,
            tools,
            others,
            self.bar,
            self.cancel_button,
            self.message,
            self.save_button,
        ):
            column.addWidget(part)
        self.column = column
        column.addStretch()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scrolled(inside))
        self.setMinimumWidth(NARROWEST)


def _button(words: str, tip: str, *, checkable: bool = False) -> QPushButton:
    button = push_button(words, tip, checkable=checkable)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button


def _group(title: str, *rows: list[QWidget]) -> QGroupBox:
    box = QGroupBox(title)
    # Where the dock must be scrolled, its buttons are not squeezed.
    box.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
    grid = QGridLayout(box)
    widest = max(len(row) for row in rows)
    widest = 6 if widest > 1 else 1
    for line, row in enumerate(rows):
        span = widest // len(row)
        for place, widget in enumerate(row):
            grid.addWidget(widget, line, place * span, 1, span)
    return box
