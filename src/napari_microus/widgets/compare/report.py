"""Write a trainee's report over folders of cases."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QToolButton,
    QWidget,
)

from napari_microus.widgets._shared.controls import push_button
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets.compare.toolbox import ToolBox

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari.components import ViewerModel

    from napari_microus.core.events import Event


class ReportBox(ToolBox):
    """Folders of masks and scans, and a button that writes one HTML file."""

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__(tr("Trainee report"), viewer)
        self._page = Path()
        self.reference = FolderRow(tr("Folder of the reference's masks."))
        self.trainee = FolderRow(tr("Folder of the masks of one annotator."))
        self.scans = FolderRow(tr("Folder of the scans, shown under the contours."))
        self.scans.line.setPlaceholderText("optional")
        self.report_button = push_button(
            tr("Write report…"),
            tr(
                "One annotator against a reference over many cases: bias, worst "
                "frames, trend. Files pair by the number that ends their names."
            ),
        )
        form = QFormLayout(self)
        form.addRow(tr("Reference"), self.reference)
        form.addRow(tr("Trainee"), self.trainee)
        form.addRow(tr("Scans"), self.scans)
        form.addRow(self.report_button)
        form.addRow(self.message)
        form.addRow(self.cancel_button)
        self.report_button.clicked.connect(self._ask_for_report)

    def report(self, page: Path) -> None:
        """Write the report over the chosen folders, in a thread."""
        reference, trainee = self.reference.path, self.trainee.path
        if reference is None or trainee is None:
            self.message.setText(
                tr("Choose the reference's folder and the trainee's above first.")
            )
            return
        self._page = page
        self._run(
            functools.partial(_report, reference, trainee, self.scans.path, page),
            self._on_report,
        )

    def _on_report(self, notices: list[str]) -> None:
        said = [f"Wrote {self._page}.", *notices[:5]]
        if len(notices) > 5:
            said.append(f"… and {len(notices) - 5} more files without a partner.")
        self.message.setText("\n".join(said))

    def _ask_for_report(self) -> None:
        page, _ = QFileDialog.getSaveFileName(
            self, tr("Save the report"), "report.html", tr("Web page (*.html)")
        )
        if page:
            self.report(Path(page))


class FolderRow(QWidget):
    """A folder to type or to browse for."""

    def __init__(self, tip: str) -> None:
        super().__init__()
        self.line = QLineEdit()
        self.line.setToolTip(tr("A folder."))
        self.setToolTip(tip)
        button = QToolButton()
        button.setToolTip(tr("Choose the folder."))
        button.setText("…")
        button.clicked.connect(self._browse)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.line, 1)
        row.addWidget(button)

    @property
    def path(self) -> Path | None:
        """The folder, None where none is chosen."""
        text = self.line.text().strip()
        return Path(text) if text else None

    def _browse(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, self.toolTip())
        if folder:
            self.line.setText(folder)


def _report(
    reference: Path, trainee: Path, scans: Path | None, page: Path
) -> Generator[Event, None, list[str]]:
    from napari_microus.core.compare.trainee import compare_trainee
    from napari_microus.core.compare.trainee_page import write_trainee_page
    from napari_microus.core.events import Notice, relay

    work = compare_trainee(reference, trainee, scans)
    notices: list[str] = []

    def keep_notice(event: Event) -> None:
        if isinstance(event, Notice):
            notices.append(event.message)

    cases = yield from relay(work, keep_notice)
    # The file dialog has asked before it named an existing file.
    write_trainee_page(cases, page, trainee=trainee.name, overwrite=True)
    return notices
