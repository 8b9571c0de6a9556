"""Who drew a mask, in the three words of DICOM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from napari_microus.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: A model alone, a model and a person, or a person alone.
HowDrawn = Literal["automatic", "semiautomatic", "manual"]
_WORDS = ("automatic", "semiautomatic", "manual")

# Of DICOM's long strings (LO).
_MOST_LETTERS = 64


@dataclass(frozen=True)
class DrawnBy:
    """Who drew a mask.

    Parameters
    ----------
    how : str
        "automatic", "semiautomatic" or "manual".
    model, version : str
        Of the model, cut to the 64 letters that DICOM allows; "" where it was drawn by
        hand.
    parameters : dict of str
        What identifies the model beyond its name.
    """

    how: HowDrawn
    model: str
    version: str
    parameters: dict[str, str]


def drawn_by(
    provenance: Mapping[str, Any] | None, how: HowDrawn | None = None
) -> DrawnBy:
    """Return who drew a mask by what its provenance states.

    Parameters
    ----------
    provenance : mapping or None
        As it is kept beside a mask, see `core.provenance`: a model is "automatic",
        "semiautomatic" once a person changed a frame; without a model it is "manual".
    how : str, optional
        Goes before the provenance.

    Raises
    ------
    InputError
        If nothing states it, or a model is to have drawn it that nobody names.
    """
    made = dict(provenance or {})
    model = str(made.get("model") or "")
    if how is not None and how not in _WORDS:
        raise InputError(
            f"A mask must be drawn {', '.join(_WORDS[:2])} or {_WORDS[2]}; got "
            f"'{how}'. Choose one of these.",
            plain=(
                f"How the mask was drawn is one of {', '.join(_WORDS)}, and '{how}' "
                "is none. Choose one of these."
            ),
        )
    if how is None:
        if not made:
            raise InputError(
                "A mask must state who drew it, as DICOM asks; got no provenance "
                "beside it. Say that it was drawn by hand (manual), or export a mask "
                "that this program saved.",
                plain=(
                    "DICOM asks how the mask was drawn, and nothing beside it says "
                    "so. Say that it was drawn by hand (manual), or export a mask "
                    "that this program saved."
                ),
            )
        how = _how_stated(made) if model else "manual"
    if how == "manual":
        return DrawnBy(how, "", "", {})
    if not model:
        raise InputError(
            f"A mask that was drawn {how} must name its model; got no model in its "
            "provenance. Export the mask that this program saved, with its .json.",
            plain=(
                "Which model drew this mask is not known. Export the mask that "
                "this program saved, with its .json."
            ),
        )
    parameters = {
        key: str(made[key])[:_MOST_LETTERS]
        for key in ("weights_sha256", "package")
        if made.get(key)
    }
    version = str(made.get("model_version") or "unknown")
    return DrawnBy(how, model[:_MOST_LETTERS], version[:_MOST_LETTERS], parameters)


def _how_stated(made: Mapping[str, Any]) -> HowDrawn:
    review = made.get("review")
    edited = review.get("edited") if isinstance(review, dict) else None
    was_edited = made.get("drawn") == "semiautomatic"  # before it became DICOM
    if edited or made.get("mended") or was_edited:
        return "semiautomatic"
    return "automatic"
