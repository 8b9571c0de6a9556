"""Dock widget that segments a folder of scans in a process of its own."""

from __future__ import annotations

from os.path import isdir, isfile
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import (
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_microus.core import library
from napari_microus.core.batch.places import SHEET, mask_path
from napari_microus.core.errors import plain_words
from napari_microus.core.events import Finished, Notice, ScanReport
from napari_microus.core.runs.process import command
from napari_microus.widgets._shared.accessible import describe_controls
from napari_microus.widgets._shared.belonging import remember_scans
from napari_microus.widgets._shared.child_process import ChildProcess
from napari_microus.widgets._shared.closing import guard_closing
from napari_microus.widgets._shared.controls import beside, scrolled, text
from napari_microus.widgets._shared.dock import NARROWEST, Dock
from napari_microus.widgets._shared.empty_state import EmptyState
from napari_microus.widgets._shared.first_use import welcome_once
from napari_microus.widgets._shared.footer import Footer
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets._shared.worker import start_worker
from napari_microus.widgets.batch.form import BatchForm
from napari_microus.widgets.batch.opening import read, show
from napari_microus.widgets.batch.table import ScanTable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from pathlib import Path

    import napari
    from qtpy.QtGui import QShowEvent

    from napari_microus.core.batch import Scan
    from napari_microus.core.events import Event
    from napari_microus.core.library import ModelInfo
    from napari_microus.widgets._shared.worker import Worker
    from napari_microus.widgets.batch.opening import Opened

CANCELLED = 130
KILLED = (
    "The process was ended by the system, which does so when memory runs out: segment "
    "fewer scans at the same time."
)


def find_lazily(
    folder: Path, recursive: bool, leave_out: Path | None
) -> Generator[Event, None, list[Scan]]:
    """List the scans of a folder; what reads them is imported here."""
    from napari_microus.core.batch import find_scans

    return (yield from find_scans([folder], recursive=recursive, leave_out=leave_out))


class BatchWidget(Dock):
    """Choose a folder of scans, segment them all, and look at what came of it.

    Parameters
    ----------
    viewer : Viewer or ViewerModel
        Shows a scan that is double-clicked.
    list_models : callable
        `core.library.list_models`.
    make_command : callable
        Turns words after ``napari-microus`` into a command line.
    find : callable
        Lists the scans of a folder, see `find_lazily`.
    open_path : callable
        Shows a folder or a page outside napari.
    parent : QWidget, optional
        Qt parent.
    """

    def __init__(
        self,
        viewer: napari.viewer.Viewer,
        *,
        list_models: Callable[[], list[ModelInfo]] = library.list_models,
        make_command: Callable[[Sequence[str]], list[str]] = command,
        find: Callable[..., Generator[Event, None, list[Scan]]] = find_lazily,
        open_path: Callable[[Path], Any] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        # napari hands docks a proxy; see `SegmentWidget`.
        viewer = getattr(viewer, "__wrapped__", viewer)
        remember_scans(viewer)
        self._viewer = viewer
        self._make_command = make_command
        self._find = find
        self._open_path = _open_outside if open_path is None else open_path
        self._search: Worker | None = None
        self._reading: Worker | None = None
        self._said: list[str] = []
        self._has_searched = True
        self._result: dict[str, Any] | None = None
        self._child = ChildProcess()
        self.form = BatchForm(list_models)
        self.run_button = QPushButton(tr("Start"))
        self.progress = QProgressBar()
        self.message = text()
        self.table = ScanTable()
        self.empty = EmptyState(
            tr("No folder chosen. Choose the folder in which your scans lie.")
        )
        self.empty.add(
            tr("Choose folder…"),
            tr("Every scan in it is segmented; nothing in it is changed."),
            self.form.ask_scans,
        )
        self.footer = Footer(viewer)
        self.footer.serve(self)
        self.detail = text()
        self.sheet_button = QPushButton(tr("Contact sheet"))
        self.folder_button = QPushButton(tr("Folder of results"))
        self._lay_out()
        self._connect()
        self._check_ready()
        describe_controls(self)

    def _lay_out(self) -> None:
        self.run_button.setToolTip(
            tr(
                "Segment the scans in a process of their own. Scans that are "
                "done are skipped."
            )
        )
        self.run_button.setSizePolicy(
            QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed
        )
        self.sheet_button.setToolTip(tr("Open the page with a picture of every scan."))
        self.folder_button.setToolTip(tr("Show the masks and tables."))
        self.progress.setVisible(False)
        self.message.setVisible(False)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.addWidget(self.empty)
        for row in (self.form, self.run_button, self.progress, self.message):
            column.addWidget(row)
        column.addWidget(self.table, 1)
        column.addWidget(self.detail)
        column.addWidget(beside(self.sheet_button, self.folder_button))
        column.addWidget(self.footer)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scrolled(inside))
        self.setMinimumSize(NARROWEST, 320)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)

    def _connect(self) -> None:
        self.form.scans_changed.connect(self.look_for_scans)
        self.form.model_box.currentIndexChanged.connect(self._check_ready)
        self.run_button.clicked.connect(self.start_or_cancel)
        self.table.scan_wanted.connect(self.show_scan)
        self.table.described.connect(self.detail.setText)
        self.sheet_button.clicked.connect(self._open_sheet)
        self.folder_button.clicked.connect(self._open_folder)
        self._child.reported.connect(self._on_event)
        self._child.ended.connect(self._on_end)
        self.destroyed.connect(self._child.forget)

    @property
    def is_running(self) -> bool:
        """True from the click on *Start* until the process has ended."""
        return self._child.is_running

    def showEvent(self, event: QShowEvent) -> None:
        """Ask before the window closes over unsaved edits; Qt's name."""
        super().showEvent(event)
        guard_closing(self, self._viewer)
        welcome_once(self, self._viewer)

    # --- which scans

    def look_for_scans(self) -> None:
        """List the scans of the chosen folder, in a thread."""
        if self.is_running:
            return
        if self._search is not None:
            self._has_searched = False  # look again when this search has ended
            self._search.quit()
            return
        folder = self.form.scans
        self.table.show_scans([])
        self._said = []
        if folder is None:
            self._check_ready()
            return
        self._say(tr("Looking for scans …"))
        self._has_searched = True
        self._search = start_worker(
            self._find,
            folder,
            self.form.recursive.isChecked(),
            self.form.output,
            yielded=self._on_search,
            returned=self._on_found,
            errored=self._on_search_error,
            finished=self._on_search_end,
        )
        self.destroyed.connect(self._search.forget)

    def _on_search(self, event: Event) -> None:
        if isinstance(event, Notice):
            self._said.append(event.message)

    def _on_found(self, scans: list[Scan]) -> None:
        self.table.show_scans(scans)
        count = f"{len(scans)} scan{'s' if len(scans) != 1 else ''}."
        self._say(" ".join([count, *self._said]))

    def _on_search_error(self, error: Exception) -> None:
        self._say(plain_words(error))

    def _on_search_end(self) -> None:
        self._search = None
        if not self._has_searched:
            self.look_for_scans()
            return
        self._check_ready(keep=True)

    # --- the batch

    def start_or_cancel(self) -> None:
        """Segment the scans; a second click asks for the end."""
        if self.is_running:
            self._child.cancel()
            self.run_button.setEnabled(False)
            self.run_button.setText(tr("Cancelling …"))
            return
        output = self.form.output
        assert output is not None  # the button is off without one
        try:
            # There, it is a folder whatever its name looks like.
            output.mkdir(parents=True, exist_ok=True)
            words = self._make_command(self.form.arguments())
        except OSError as error:
            self._say(
                f"Cannot write into the folder of the results, {output} "
                f"({error.strerror}). Choose another folder."
            )
            return
        self._result = None
        self._said = []
        self.table.show_scans(self.table.scans)
        self._say("")
        self.form.setEnabled(False)
        self.run_button.setText(tr("Cancel"))
        self.progress.setRange(0, 0)
        self.progress.setFormat(tr("starting …"))
        self.progress.setVisible(True)
        self._child.start(words)

    def _on_event(self, event: Event) -> None:
        if isinstance(event, ScanReport):
            self.table.show_report(event)
            self.progress.setRange(0, event.scans)
            self.progress.setValue(event.ended)
            self.progress.setFormat(f"{event.ended} of {event.scans} scans")
        elif isinstance(event, Notice):
            self.table.show_notice(event.message)
        elif isinstance(event, Finished):
            self._result = event.result

    def _on_end(self, status: int, words: str) -> None:
        self.table.wait_again()
        self.form.setEnabled(True)
        self.run_button.setText(tr("Start"))
        self.progress.setVisible(False)
        if self._result is not None:
            self._say(summary(self._result))
        elif status == CANCELLED:
            self._say(tr("Cancelled. What is done stays; Start continues from there."))
        else:
            self._say(f"{words if status >= 0 else KILLED} What is done stays.")
        self._check_ready(keep=True)

    def _check_ready(self, *_: object, keep: bool = False) -> None:
        """Allow a start when everything is chosen, else say what is missing."""
        output = self.form.output
        # Not `Path.is_file`, which raises where a name is too long or shut off.
        has_results = output is not None and isfile(output / SHEET)
        self.sheet_button.setEnabled(has_results)
        self.folder_button.setEnabled(output is not None and isdir(output))
        if self.is_running:
            return
        self.empty.setVisible(self.form.scans is None)
        missing = self._what_is_missing()
        is_chosen = self.form.scans is not None
        self.run_button.setEnabled(is_chosen and not missing)
        if not keep:
            self._say(missing)

    def _what_is_missing(self) -> str:
        if self.form.scans is None:
            return ""  # said above, with a button
        if self.form.output is None:
            return tr("Choose a folder for the results.")
        if self.form.model is None:
            return tr(
                "There is no model to segment with. Train one, or import one "
                "with 'napari-microus models import'."
            )
        return "" if self.table.scans else tr("Choose a folder that holds scans.")

    # --- what came of it

    def show_scan(self, scan: Scan) -> None:
        """Show a scan with its mask in the viewer; both are read in a thread."""
        output = self.form.output
        if self._reading is not None or output is None:
            return
        self.detail.setText(tr("Opening {name} …").format(name=scan.label))
        self._reading = start_worker(
            read,
            scan,
            mask_path(output, scan.name),
            returned=self._on_read,
            errored=self._on_read_error,
            finished=self._on_read_end,
        )
        self.destroyed.connect(self._reading.forget)

    def _on_read(self, opened: Opened) -> None:
        show(self._viewer, opened)
        is_drawn = opened.mask is not None
        words = "" if is_drawn else tr(" It has no mask.")
        self.detail.setText(tr("Opened '{name}'.").format(name=opened.name) + words)

    def _on_read_error(self, error: Exception) -> None:
        self.detail.setText(plain_words(error))

    def _on_read_end(self) -> None:
        self._reading = None

    def _open_sheet(self) -> None:
        if self.form.output is not None:
            self._open_path(self.form.output / SHEET)

    def _open_folder(self) -> None:
        if self.form.output is not None:
            self._open_path(self.form.output)

    def _say(self, words: str) -> None:
        self.message.setText(words)
        self.message.setVisible(bool(words))


def summary(result: dict[str, Any]) -> str:
    """Return the sentence with which a batch ends."""
    done, skipped, failed = (
        int(result.get(name, 0)) for name in ("done", "skipped", "failed")
    )
    parts = [f"{done} done"]
    parts += [f"{skipped} done before"] if skipped else []
    parts += [f"{failed} failed"] if failed else []
    total = done + skipped + failed
    said = f"{total} scan{'s' if total != 1 else ''}: {', '.join(parts)}."
    return f"{said} Look at the contact sheet: nobody has checked these masks."


def _open_outside(path: Path) -> None:
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))
