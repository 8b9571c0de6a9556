"""Texts in the user's language, by the standard library's gettext.

What is wrapped in `tr` can be translated: the catalogues lie in ``locale``, and
``.ci/catalogue.py`` keeps them in step with the code. A text without a translation is
shown in English.
"""

from __future__ import annotations

import gettext
from functools import cache
from pathlib import Path

DOMAIN = "napari-microus"
FOLDER = Path(__file__).parents[2] / "locale"
AUTOMATIC = "auto"


def tr(text: str) -> str:
    """Return a text of the docks in the user's language."""
    return _catalogue().gettext(text)


def languages() -> list[str]:
    """Return the languages to look for, the best first.

    That of our preferences, else of napari's settings in the versions that have one,
    else the system's.
    """
    from napari_microus.widgets._shared.preferences import preferred

    own = str(preferred("language", AUTOMATIC, "general"))
    if own != AUTOMATIC:
        return [own]
    from napari.settings import get_settings

    of_napari = getattr(get_settings().application, "language", None)
    if of_napari:
        return [str(of_napari)]
    from qtpy.QtCore import QLocale

    return [name.replace("-", "_") for name in QLocale.system().uiLanguages()]


@cache
def _catalogue() -> gettext.NullTranslations:
    wanted = languages()
    # What the code is written in needs no catalogue, and ends the search.
    english = next((i for i, n in enumerate(wanted) if n.startswith("en")), None)
    return gettext.translation(DOMAIN, FOLDER, wanted[:english], fallback=True)
