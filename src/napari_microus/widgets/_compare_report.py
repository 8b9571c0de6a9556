"""Write a trainee's report over folders of cases."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFileDialog, QPushButton, QVBoxLayout

from napari_microus.widgets._compare_toolbox import ToolBox

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari.components import ViewerModel

    from napari_microus.core.events import Event


class ReportBox(ToolBox):
    """A button that asks for two folders and writes one HTML file."""

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__("Trainee report", viewer)
        self._page = Path()
        self.report_button = QPushButton("Report over folders…")
        self.report_button.setToolTip(
            "One annotator against a reference over many cases: bias, worst frames, "
            "trend. Files pair by the number that ends their names."
        )
        column = QVBoxLayout(self)
        column.addWidget(self.report_button)
        column.addWidget(self.message)
        column.addWidget(self.cancel_button)
        self.report_button.clicked.connect(self._ask_for_report)

    def report(self, reference: Path, trainee: Path, page: Path) -> None:
        """Write a trainee's report in a thread."""
        self._page = page
        self._run(
            functools.partial(_report, reference, trainee, page),
            self._on_report,
        )

    def _on_report(self, notices: list[str]) -> None:
        said = [f"Wrote {self._page}.", *notices[:5]]
        if len(notices) > 5:
            said.append(f"… and {len(notices) - 5} more files without a partner.")
        self.message.setText("\n".join(said))

    def _ask_for_report(self) -> None:
        ask = QFileDialog.getExistingDirectory
        reference = ask(self, "Folder of the reference's masks")
        trainee = reference and ask(self, "Folder of the trainee's masks")
        if not trainee:
            return
        page, _ = QFileDialog.getSaveFileName(
            self, "Save the report", "report.html", "Web page (*.html)"
        )
        if page:
            self.report(Path(reference), Path(trainee), Path(page))


def _report(
    reference: Path, trainee: Path, page: Path
) -> Generator[Event, None, list[str]]:
    from napari_microus.core.compare.trainee import compare_trainee
    from napari_microus.core.compare.trainee_page import write_trainee_page
    from napari_microus.core.events import Notice

    work = compare_trainee(reference, trainee)
    notices = []
    while True:
        try:
            event = next(work)
        except StopIteration as stop:
            cases = stop.value
            break
        if isinstance(event, Notice):
            notices.append(event.message)
        yield event
    # The file dialog has asked before it named an existing file.
    write_trainee_page(cases, page, trainee=trainee.name, overwrite=True)
    return notices
