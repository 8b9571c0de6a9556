"""One annotator against a reference over many cases, as a page to keep."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import qt
import slicer
from slicer.i18n import tr as _

from MicroUSLib.event_pump import drain

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_microus.core.events import Event


def write_report(
    reference: str, trainee: str, page: str, on_event: Callable[[Event], None]
) -> list[str]:
    """Compare two folders of masks and write the report.

    Parameters
    ----------
    reference, trainee : str
        Folders whose files pair by the number that ends their names.
    page : str
        HTML file to write; the file dialog has asked whether to replace it.
    on_event : callable
        Called with every case; where it raises, nothing is written.

    Returns
    -------
    list of str
        One sentence for each file that was left out.

    Raises
    ------
    InputError
        If no case is in both folders.
    """
    from napari_microus.core.compare.trainee import compare_trainee
    from napari_microus.core.compare.trainee_page import write_trainee_page
    from napari_microus.core.events import Notice

    left_out: list[str] = []

    def report(event: Event) -> None:
        if isinstance(event, Notice):
            left_out.append(event.message)
        on_event(event)

    cases = drain(compare_trainee(reference, trainee), report)
    write_trainee_page(cases, page, trainee=Path(trainee).name, overwrite=True)
    return left_out


def ask_folders() -> tuple[str, str, str] | None:
    """Return the two folders and the page that the user names, None for a change."""
    window, found = slicer.util.mainWindow(), []
    for title in (
        _("Folder of the reference's masks"),
        _("Folder of the trainee's masks"),
    ):
        found.append(qt.QFileDialog.getExistingDirectory(window, title))
        if not found[-1]:
            return None
    page = qt.QFileDialog.getSaveFileName(
        window, _("Save the report"), "report.html", _("Web page (*.html)")
    )
    return (found[0], found[1], page) if page else None
