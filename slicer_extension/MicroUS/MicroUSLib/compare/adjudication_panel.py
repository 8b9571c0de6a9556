"""The part of *Compare* that adjudicates a disagreement region by region."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

from . import adjudication, tables

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import SimpleNamespace

    from MicroUSLib.event_pump import EventPump
    from napari_microus.core.compare import DisputedRegion

    from .adjudication import Adjudicated
    from .comparison import Comparison
    from .work import Comparer, CompareWork

# Slicer's slice views keep [ and ] for the background volume.
_KEYS = {
    ",": "previousButton",
    ".": "nextButton",
    "1": "expertButton",
    "2": "nonexpertButton",
    "3": "undecidedButton",
    "U": "undoButton",
}
# Decisions follow one another quickly; writing them down takes up to half a second.
_JOURNAL_PAUSE_MS = 1000
_FILES = "Sidecar or mask (*.json *.nii.gz *.nii)"


class AdjudicationPanel:
    """Goes through the disputed regions, and keeps what was decided.

    Parameters
    ----------
    ui : namespace
        The widgets of ``MicroUS.ui`` by name.
    work : CompareWork
        Runs what takes long.
    comparer : Comparer
        Compares, and shows a frame.

    Attributes
    ----------
    ask_save, ask_open : callable
        Give a path, or "" when the user changes their mind.
    """

    def __init__(
        self, ui: SimpleNamespace, work: CompareWork, comparer: Comparer
    ) -> None:
        self._ui, self._work, self._comparer = ui, work, comparer
        self.ask_save, self.ask_open = _ask_save, _ask_open
        self.show_in_editor: Callable[[Any, Any], None] = _show_nothing
        self._case: Adjudicated | None = None
        self._path = ""  # where the case was saved or resumed from
        self._at = 0
        for name, slot in (
            ("previousButton", self.previous),
            ("nextButton", self.next),
            ("expertButton", self.accept_expert),
            ("nonexpertButton", self.accept_nonexpert),
            ("undecidedButton", self.leave_undecided),
            ("undoButton", self.undo),
            ("saveAdjudicationButton", self.save),
            ("loadAdjudicationButton", self.resume),
        ):
            getattr(ui, name).clicked.connect(slot)
        self._shortcuts: list[qt.QShortcut] = []
        self._is_kept = True
        self._journal = qt.QTimer()
        self._journal.interval = _JOURNAL_PAUSE_MS
        self._journal.timeout.connect(self.keep)

    @property
    def is_begun(self) -> bool:
        """Whether a region was decided, or decisions were resumed."""
        return self._case is not None

    def install_keys(self) -> None:
        """Let keys work wherever the focus is, as long as the module is shown."""
        self.remove_keys()
        for key, name in _KEYS.items():
            shortcut = qt.QShortcut(qt.QKeySequence(key), slicer.util.mainWindow())
            shortcut.activated.connect(getattr(self._ui, name).click)
            self._shortcuts.append(shortcut)

    def remove_keys(self) -> None:
        """Give the keys back: another module is shown."""
        for shortcut in self._shortcuts:
            shortcut.activated.disconnect()
            shortcut.setParent(None)
            shortcut.deleteLater()
        self._shortcuts = []

    def begin_with(self, found: Comparison) -> None:
        """Show the first region of a new comparison."""
        self.forget()
        self._path, self._at = "", 0
        self._ui.regionLabel.text = ""
        if found.regions:
            self._go(0)

    def forget(self) -> None:
        """Forget the case; what was decided is in its journal."""
        self.keep()
        if self._case is not None:
            self._case.release()
        self._case = None
        self._ui.regionLabel.text = ""

    def refresh(self, is_free: bool) -> None:
        """Enable what can be pressed now."""
        ui = self._ui
        has_regions = is_free and bool(self._regions())
        for name in (
            *("previousButton", "nextButton", "expertButton", "nonexpertButton"),
            "undecidedButton",
        ):
            getattr(ui, name).enabled = has_regions
        ui.loadAdjudicationButton.enabled = is_free
        ui.undoButton.enabled = is_free and self._case is not None
        ui.saveAdjudicationButton.enabled = is_free and self._case is not None

    # --- going from region to region ---------------------------------------------
    def previous(self, *args: object) -> None:
        """Go to the disputed region before this one."""
        self._go(self._at - 1)

    def next(self, *args: object) -> None:
        """Go to the next disputed region."""
        self._go(self._at + 1)

    def _regions(self) -> list[DisputedRegion]:
        if self._case is not None:
            return self._case.work.regions
        return self._comparer.found.regions if self._comparer.found is not None else []

    def _go(self, index: int) -> None:
        regions = self._regions()
        if not regions:
            return
        self._at = index % len(regions)
        region = regions[self._at]
        frame, row, column = region.centre
        self._comparer.look(frame, (row, column))
        verdicts = self._case.work.verdicts if self._case is not None else {}
        verdict = verdicts.get(region.number)
        unit = tables.unit_of(self._comparer.found)
        distance = (
            _("{0:.1f} {1} apart").format(region.distance_mm, unit)
            if math.isfinite(region.distance_mm)
            else _("one contour only")
        )
        self._ui.regionLabel.text = _(
            "Region {0} of {1}, frame {2}: {3}, {4:.1f} {9}², drawn by "
            "{5}; {6}. Decided {7} of {8}."
        ).format(
            self._at + 1,
            len(regions),
            region.frame,
            distance,
            region.area_mm2,
            self._shown_as(region.drawn_by),
            self._shown_as(verdict.decision) if verdict else _("open"),
            len(verdicts),
            len(regions),
            unit,
        )

    def show_naming(self) -> None:
        """Call the annotators on the buttons as the comparison does."""
        naming = self._comparer.found.naming
        for button, name, key in (
            (self._ui.expertButton, naming.first, "1"),
            (self._ui.nonexpertButton, naming.second, "2"),
        ):
            button.text = _("{0}  {1}").format(name[:1].upper() + name[1:], key)
            button.toolTip = _("{0} is right here.").format(name)
        if self._case is not None:
            self._go(self._at)

    def _shown_as(self, who: str) -> str:
        """Return what the panel calls "expert" and "nonexpert"; others stay."""
        naming = self._comparer.found.naming
        return {"expert": naming.expert, "nonexpert": naming.nonexpert}.get(who, who)

    def _take_naming(self) -> None:
        """Continue blind where the decisions were begun so."""
        from napari_microus.core.compare.naming import naming_from_json

        naming = naming_from_json(self._case.origin.settings.get("blind", {}))
        if naming.is_blind:
            self._ui.blindCheckBox.checked = True
            self._comparer.use_naming(naming)

    # --- deciding ----------------------------------------------------------------
    def accept_expert(self, *args: object) -> None:
        """Give the region to the first annotator: the expert, unless blind."""
        is_swapped = self._comparer.found.naming.is_swapped
        self._decide("nonexpert" if is_swapped else "expert")

    def accept_nonexpert(self, *args: object) -> None:
        """Give the region to the second annotator: the non-expert, unless blind."""
        is_swapped = self._comparer.found.naming.is_swapped
        self._decide("expert" if is_swapped else "nonexpert")

    def leave_undecided(self, *args: object) -> None:
        """Leave the region open."""
        self._decide("undecided")

    def undo(self, *args: object) -> None:
        """Undo the last decision and go to its region."""
        with self._work.doing(_("The decision was not undone.")) as on_event:
            region = self._case.undo(on_event) if self._case is not None else None
            if region is not None:
                self._keep_soon()
                self._go(self._regions().index(region))

    def _decide(self, decision: str) -> None:
        with self._work.doing(_("The decision was not taken.")) as on_event:
            if self._case is None and self._comparer.is_behind:
                self._comparer.compare()
                self._work.say(
                    _(
                        "The annotations were painted in and are compared again; "
                        "decide on the regions as they are now."
                    )
                )
                return
            if self._case is None:
                self._begin(on_event)
            region = self._regions()[self._at % len(self._regions())]
            self._case.work.who = self._ui.whoLineEdit.text
            self._case.decide(region, decision, on_event)
            if self._case.reopened:
                self._work.say(
                    _(
                        "{0} decisions were undone in the editor; these "
                        "regions are open again."
                    ).format(len(self._case.reopened))
                )
            self._keep_soon()
            open_region = self._case.work.next_open(region.number)
            if open_region is None:
                self._go(self._at)
            else:
                self._go(self._regions().index(open_region))

    def _begin(self, on_event: EventPump) -> None:
        """Begin to adjudicate, or continue where a crash cut it short."""
        found = self._comparer.found
        kept = adjudication.unsaved(found)
        if kept is not None:
            from napari_microus.core.compare.adjudication.opening import unsaved_text

            if slicer.util.confirmYesNoDisplay(
                _("{0} Resume them?").format(unsaved_text(kept))
            ):
                self._case, notice = adjudication.continue_with(found, kept, on_event)
                self._take_naming()
                self._work.say(notice or _("The unsaved decisions are back."))
                return
        self._case = adjudication.begin(found, self._ui.whoLineEdit.text, on_event)
        self.show_in_editor(self._case.node, found.volume)

    def _keep_soon(self) -> None:
        self._is_kept = False
        self._journal.start()

    def keep(self) -> None:
        """Write the decisions down now, so that they survive a crash."""
        self._journal.stop()
        if self._case is None or self._is_kept:
            return
        from napari_microus.core.errors import MicroUSError

        self._is_kept = True
        try:
            self._case.keep()
        except MicroUSError as error:
            self._work.say(
                _("The decisions were not written down: {0}").format(error.plain)
            )

    # --- files -------------------------------------------------------------------
    def save(self, *args: object) -> None:
        """Save mask, provenance map and sidecar where the user says."""
        path = self.ask_save()
        if path:
            self._path = path  # the file dialog has asked whether to overwrite
            self.save_to(path)

    def save_to(self, path: str) -> bool:
        """Save there and return whether it was saved.

        Files of another adjudication than the one at work are not replaced.
        """
        is_saved = False
        with self._work.doing(_("The adjudication was not saved.")) as on_event:
            paths = self._case.save(
                path, overwrite=path == self._path, on_event=on_event
            )
            self._is_kept = is_saved = True
            self._path = path
            self._work.say(_("Saved {0}.").format(", ".join(paths)))
        return is_saved

    def resume(self, *args: object) -> None:
        """Continue with a saved adjudication of the two annotations above."""
        path = self.ask_open()
        if path:
            self.resume_from(path)

    def resume_from(self, path: str) -> None:
        """Continue with the adjudication saved there."""
        with self._work.doing(_("The adjudication was not resumed.")) as on_event:
            if self._comparer.found is None:
                self._comparer.compare()
            self.keep()
            if self._case is not None:
                self._case.release()
            self._case, notice = adjudication.resume(
                self._comparer.found, path, on_event
            )
            self._path = path
            self._ui.whoLineEdit.text = self._case.work.who
            self._take_naming()
            self.show_in_editor(self._case.node, self._comparer.found.volume)
            open_region = self._case.work.next_open()
            regions = self._regions()
            self._go(regions.index(open_region) if open_region is not None else 0)
            self._work.say(notice or _("Resumed."))


def _show_nothing(*args: object) -> None:
    """Take a segmentation and its scan where no editor is open."""


def _ask_save() -> str:
    return qt.QFileDialog.getSaveFileName(
        slicer.util.mainWindow(),
        _("Save the adjudication"),
        "adjudicated.nii.gz",
        "NIfTI (*.nii.gz *.nii)",
    )


def _ask_open() -> str:
    return qt.QFileDialog.getOpenFileName(
        slicer.util.mainWindow(), _("Resume an adjudication"), "", _FILES
    )
