"""The room *Compare*: see where two annotators differ, and settle it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import qt
import slicer

from . import adjudicating, comparing, frame_table
from .boxes import chosen
from .comparing import Annotator
from .nodes import is_in_scene, jump_to_voxel, volume_from_node
from .parameters import RANKS
from .segments import mask_from_node, parts_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import SimpleNamespace

    from napari_microus.core.compare import DisputedRegion
    from napari_microus.core.events import Event
    from napari_microus.core.volume import Volume

    from .adjudicating import Adjudicated
    from .comparing import Comparison
    from .parameters import MicroUSParameterNode

_METHODS = ("union", "intersection", "majority", "mean_distance", "staple")
_KEYS = {
    "[": "previousButton",
    "]": "nextButton",
    "1": "expertButton",
    "2": "nonexpertButton",
    "3": "undecidedButton",
    "U": "undoButton",
}


class CompareRoom:
    """Ties the widgets of *Compare* to the core.

    Parameters
    ----------
    ui : namespace
        The widgets of ``MicroUS.ui`` by name.
    ensure_packages : callable
        Installs what is missing, or raises.
    ask_save, ask_open : callable
        Give a path, or "" when the user changes their mind.
    """

    def __init__(
        self,
        ui: SimpleNamespace,
        ensure_packages: Callable[[], Any],
        ask_save: Callable[[], str] | None = None,
        ask_open: Callable[[], str] | None = None,
    ) -> None:
        self._ui = ui
        self._ensure_packages = ensure_packages
        self._ask_save = ask_save or _ask_save
        self._ask_open = ask_open or _ask_open
        self._found: Comparison | None = None
        self._case: Adjudicated | None = None
        self._at = 0
        self._is_busy = False
        self._is_closed = False
        self.parameters: MicroUSParameterNode | None = None
        for method in _METHODS:
            ui.consensusComboBox.addItem(method.replace("_", " "), method)
        self._connect()
        self._shortcuts = self._make_shortcuts()
        self._refresh()

    def _connect(self) -> None:
        ui = self._ui
        ui.expertSelector.currentNodeChanged.connect(self._on_expert)
        ui.nonexpertSelector.currentNodeChanged.connect(self._on_nonexpert)
        ui.expertPartComboBox.currentIndexChanged.connect(self._on_part)
        ui.nonexpertPartComboBox.currentIndexChanged.connect(self._on_part)
        ui.compareButton.clicked.connect(self.compare)
        ui.frameTable.cellClicked.connect(self._on_row)
        ui.previousButton.clicked.connect(self.previous)
        ui.nextButton.clicked.connect(self.next)
        ui.expertButton.clicked.connect(self.accept_expert)
        ui.nonexpertButton.clicked.connect(self.accept_nonexpert)
        ui.undecidedButton.clicked.connect(self.leave_undecided)
        ui.undoButton.clicked.connect(self.undo)
        ui.saveAdjudicationButton.clicked.connect(self.save)
        ui.loadAdjudicationButton.clicked.connect(self.resume)
        ui.consensusButton.clicked.connect(self.make_consensus)

    def _make_shortcuts(self) -> list[qt.QShortcut]:
        made = []
        for key, name in _KEYS.items():
            shortcut = qt.QShortcut(qt.QKeySequence(key), self._ui.compareSection)
            shortcut.context = qt.Qt.WidgetWithChildrenShortcut
            shortcut.activated.connect(getattr(self._ui, name).click)
            made.append(shortcut)
        return made

    def use(self, parameters: MicroUSParameterNode | None) -> None:
        """Work on these choices from now on; None while the module is not shown."""
        self.parameters = parameters
        if parameters is not None:
            self._is_closed = False
            self._fill_parts()

    def close(self) -> None:
        """Forget the case: its scene is going away."""
        self._is_closed = True
        self._found = self._case = None
        self._ui.frameTable.rowCount = 0
        for label in (self._ui.totalsLabel, self._ui.regionLabel):
            label.text = ""
        self._refresh()

    # --- choosing ----------------------------------------------------------------
    def _on_expert(self, *_: object) -> None:
        _fill(self._ui.expertPartComboBox, self._ui.expertSelector.currentNode(), "")
        self._on_part()

    def _on_nonexpert(self, *_: object) -> None:
        box = self._ui.nonexpertPartComboBox
        node = self._ui.nonexpertSelector.currentNode()
        _fill(box, node, "")
        is_same = node is not None and node is self._ui.expertSelector.currentNode()
        if is_same and box.count > 1 and box.currentIndex == 0:
            box.currentIndex = 1  # two segments of one node are the usual case
        self._on_part()

    def _fill_parts(self) -> None:
        choices, ui = self.parameters, self._ui
        _fill(ui.expertPartComboBox, choices.expert, choices.expertPart)
        _fill(ui.nonexpertPartComboBox, choices.nonexpert, choices.nonexpertPart)
        self._on_part()

    def _on_part(self, *_: object) -> None:
        if self.parameters is not None:
            self.parameters.expertPart = chosen(self._ui.expertPartComboBox)
            self.parameters.nonexpertPart = chosen(self._ui.nonexpertPartComboBox)
        self._list_annotators()
        self._refresh()

    def case(self) -> tuple[Volume, Volume, Volume | None]:
        """Return scan, expert and non-expert (None if none is chosen) as volumes.

        Raises
        ------
        InputError
            If the expert's annotation is missing, or one lies elsewhere.
        """
        expert, nonexpert = self._annotators()
        scan = comparing.scan_of(self.parameters.volume, expert, nonexpert)
        masks = [
            mask_from_node(a.node, a.part, scan, a.role)
            for a in (expert, nonexpert)
            if a is expert or is_in_scene(a.node)
        ]
        return volume_from_node(scan), masks[0], (*masks, None)[1]

    def _annotators(self) -> tuple[Annotator, Annotator]:
        choices = self.parameters
        return (
            Annotator(choices.expert, choices.expertPart, "expert"),
            Annotator(choices.nonexpert, choices.nonexpertPart, "non-expert"),
        )

    def _list_annotators(self) -> None:
        """List every segment of both nodes, with the two that are chosen ticked."""
        self._ui.annotatorList.clear()
        if self.parameters is None:
            return
        pair = self._annotators()
        listed: list[tuple[Any, str]] = []
        for node in (pair[0].node, pair[1].node):
            for key, name in parts_of(node):
                if any(node is n and key == k for n, k in listed):
                    continue
                listed.append((node, key))
                item = qt.QListWidgetItem(f"{node.GetName()}: {name}")
                ticked = any(a.node is node and a.part == key for a in pair)
                item.setCheckState(qt.Qt.Checked if ticked else qt.Qt.Unchecked)
                self._ui.annotatorList.addItem(item)
        self._listed = listed

    # --- comparing ---------------------------------------------------------------
    def compare(self, *_: object) -> None:
        """Compare the chosen annotations, and show what differs."""
        with self._working("The annotations were not compared."):
            self._ensure_packages()
            choices = self.parameters
            expert, nonexpert = self._annotators()
            volume = comparing.scan_of(choices.volume, expert, nonexpert)
            found = comparing.compare(
                volume,
                expert,
                nonexpert,
                kernel_size=choices.kernelSize,
                rank_by=RANKS[choices.rankBy],
                smallest_px=choices.smallestRegion,
                through_frames=choices.throughFrames,
                on_event=self._on_event,
            )
            comparing.show_differences(found, choices.kernelSize)
            comparing.show_table(found)
            self._found, self._case, self._at = found, None, 0
            self._show_found()
            if found.regions:
                self._go(0)

    def _show_found(self) -> None:
        found = self._found
        self._ui.totalsLabel.text = frame_table.totals(found)
        frame_table.fill(self._ui.frameTable, found.rows)
        self._say("Not for clinical use.")

    def _on_row(self, line: int, *_: object) -> None:
        self._look(frame_table.frame_at(self._ui.frameTable, line), None)

    def _look(self, frame: int, center: tuple[float, float] | None) -> None:
        volume = self._found.volume
        if not is_in_scene(volume):
            return
        columns, rows, _ = volume.GetImageData().GetDimensions()
        row, column = center or ((rows - 1) / 2, (columns - 1) / 2)
        jump_to_voxel(volume, frame, row, column)

    # --- settling ----------------------------------------------------------------
    def previous(self, *_: object) -> None:
        """Go to the disputed region before this one."""
        self._go(self._at - 1)

    def next(self, *_: object) -> None:
        """Go to the next disputed region."""
        self._go(self._at + 1)

    def accept_expert(self, *_: object) -> None:
        """Give the region to the expert."""
        self._decide("expert")

    def accept_nonexpert(self, *_: object) -> None:
        """Give the region to the non-expert."""
        self._decide("nonexpert")

    def leave_undecided(self, *_: object) -> None:
        """Leave the region open."""
        self._decide("undecided")

    def undo(self, *_: object) -> None:
        """Take back the last decision and go to its region."""
        with self._working("The decision was not taken back."):
            region = self._case.undo() if self._case is not None else None
            if region is not None:
                self._case.keep()
                self._go(self._regions().index(region))

    def _decide(self, decision: str) -> None:
        with self._working("The decision was not taken."):
            if self._case is None:
                self._begin()
            region = self._regions()[self._at % len(self._regions())]
            self._case.work.who = self._ui.whoLineEdit.text
            self._case.decide(region, decision)
            self._case.keep()
            open_region = self._case.work.next_open(region.number)
            if open_region is None:
                self._go(self._at)
            else:
                self._go(self._regions().index(open_region))

    def _begin(self) -> None:
        """Begin to settle, or go on where a crash cut it short."""
        kept = adjudicating.unsaved(self._found)
        if kept is not None:
            done = sum(1 for region in kept["regions"] if region["decision"])
            if slicer.util.confirmYesNoDisplay(
                f"There are unsaved decisions about these two annotations: {done} of "
                f"{len(kept['regions'])} regions, {kept['modified']}. Go on with them?"
            ):
                self._case, notice = adjudicating.go_on(self._found, kept)
                self._say(notice or "The unsaved decisions are back.")
                return
        self._case = adjudicating.begin(self._found, self._ui.whoLineEdit.text)

    def _regions(self) -> list[DisputedRegion]:
        if self._case is not None:
            return self._case.work.regions
        return self._found.regions if self._found is not None else []

    def _go(self, index: int) -> None:
        regions = self._regions()
        if not regions:
            return
        self._at = index % len(regions)
        region = regions[self._at]
        frame, row, column = region.centre
        self._look(frame, (row, column))
        verdicts = self._case.work.verdicts if self._case is not None else {}
        verdict = verdicts.get(region.number)
        distance = (
            f"{region.distance_mm:.1f} mm apart"
            if math.isfinite(region.distance_mm)
            else "drawn by one only"
        )
        self._ui.regionLabel.text = (
            f"Region {self._at + 1} of {len(regions)}, frame {region.frame}: "
            f"{distance}, "
            f"{region.area_mm2:.1f} mm², drawn by {region.drawn_by}; "
            f"{verdict.decision if verdict else 'open'}. "
            f"Settled {len(verdicts)} of {len(regions)}."
        )

    def save(self, *_: object) -> None:
        """Save mask, provenance map and sidecar where the user says."""
        path = self._ask_save()
        if not path:
            return
        with self._working("The adjudication was not saved."):
            # The file dialog has asked whether to overwrite.
            paths = self._case.save(path, overwrite=True)
            self._say(f"Saved {', '.join(paths)}.")

    def resume(self, *_: object) -> None:
        """Go on with a saved adjudication of the two annotations above."""
        path = self._ask_open()
        if not path:
            return
        with self._working("The adjudication was not resumed."):
            if self._found is None:
                self._is_busy = False
                self.compare()
                self._is_busy = True
            self._case, notice = adjudicating.resume(self._found, path)
            self._ui.whoLineEdit.text = self._case.work.who
            open_region = self._case.work.next_open()
            regions = self._regions()
            self._go(regions.index(open_region) if open_region is not None else 0)
            self._say(notice or "Resumed.")

    def make_consensus(self, *_: object) -> None:
        """Fuse the ticked annotations into a new segment."""
        with self._working("No consensus was made."):
            self._ensure_packages()
            ticked = [
                Annotator(node, key, "annotator's")
                for line, (node, key) in enumerate(self._listed)
                if self._ui.annotatorList.item(line).checkState() == qt.Qt.Checked
            ]
            volume = comparing.scan_of(self.parameters.volume, *ticked)
            node, _ = comparing.add_consensus(
                volume, ticked, chosen(self._ui.consensusComboBox), self._on_event
            )
            self._say(f"The consensus is in '{node.GetName()}'.")

    # --- telling -----------------------------------------------------------------
    def _working(self, failure: str) -> _Working:
        return _Working(self, failure)

    def _on_event(self, event: Event) -> None:
        from napari_microus.core.errors import InputError
        from napari_microus.core.events import Progress

        if isinstance(event, Progress):
            self._ui.compareProgressBar.maximum = event.total
            self._ui.compareProgressBar.value = event.done
        slicer.app.processEvents()
        if self._is_closed:
            raise InputError(
                "The scene must stay open while annotations are compared; it was "
                "closed. Load the case again."
            )

    def _refresh(self) -> None:
        ui, is_free = self._ui, not self._is_busy
        ui.compareProgressBar.visible = self._is_busy
        ui.compareButton.enabled = is_free
        ui.loadAdjudicationButton.enabled = is_free
        ui.consensusButton.enabled = is_free
        has_regions = is_free and bool(self._regions())
        for name in (
            *("previousButton", "nextButton", "expertButton", "nonexpertButton"),
            "undecidedButton",
        ):
            getattr(ui, name).enabled = has_regions
        ui.undoButton.enabled = is_free and self._case is not None
        ui.saveAdjudicationButton.enabled = is_free and self._case is not None

    def _say(self, words: str) -> None:
        self._ui.compareStatusLabel.text = words


class _Working:
    """While the room works: buttons off, errors shown, and buttons on again."""

    def __init__(self, room: CompareRoom, failure: str) -> None:
        self._room = room
        self._display = slicer.util.tryWithErrorDisplay(failure)

    def __enter__(self) -> None:
        self._room._is_busy = True
        self._room._refresh()
        self._display.__enter__()

    def __exit__(self, *error: Any) -> bool | None:
        self._room._is_busy = False
        self._room._refresh()
        return self._display.__exit__(*error)


def _fill(box: qt.QComboBox, node: Any, wanted: str) -> None:
    box.blockSignals(True)
    box.clear()
    for key, name in parts_of(node):
        box.addItem(name, key)
    box.currentIndex = max(0, box.findData(wanted)) if box.count else -1
    box.blockSignals(False)


def _ask_save() -> str:
    return qt.QFileDialog.getSaveFileName(
        None, "Save the adjudication", "adjudicated.nii.gz", "NIfTI (*.nii.gz *.nii)"
    )


def _ask_open() -> str:
    return qt.QFileDialog.getOpenFileName(
        None, "Resume an adjudication", "", "Sidecar or mask (*.json *.nii.gz *.nii)"
    )
