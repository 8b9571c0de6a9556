"""Show a person what failed, in plain words."""

from __future__ import annotations

import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING

import slicer

if TYPE_CHECKING:
    from collections.abc import Iterator


def in_plain_words(error: BaseException) -> str:
    """Return what a panel says of an error, of the core or of another package.

    As `napari_microus.core.errors.plain_words`, also where the core is not installed.
    """
    return getattr(error, "plain", "") or str(error) or type(error).__name__


@contextmanager
def shown_plainly(title: str) -> Iterator[None]:
    """Show an error in plain words under ``title``, and let it go on.

    ``slicer.util.tryWithErrorDisplay`` shows the sentence that is for code.
    """
    try:
        yield
    except Exception as error:
        if not slicer.app.testingEnabled():
            slicer.util.errorDisplay(
                "\n\n".join([title, in_plain_words(error)]),
                detailedText=traceback.format_exc(),
            )
        raise
