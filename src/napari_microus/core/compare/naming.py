"""How the two annotators are called and coloured, openly or blind."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_microus.core import colors
from napari_microus.core.colors import AGREED_COLOR, EXPERT, HARD_REGION, NONEXPERT
from napari_microus.core.disagreement import (
    BOTH,
    EXPERT_ONLY,
    IGNORED,
    NONEXPERT_ONLY,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

HAND_DRAWN_COLOR = HARD_REGION


@dataclass(frozen=True)
class Naming:
    """Names and colours of the expert and the second annotator.

    Attributes
    ----------
    expert, nonexpert : str
        What to call them.
    expert_color, nonexpert_color : str
        Hexadecimal colours.
    is_swapped : bool
        True where the second annotator comes first in tables and keys.
    is_blind : bool
        True where the names do not reveal who is who.
    """

    expert: str = "expert"
    nonexpert: str = "non-expert"
    expert_color: str = EXPERT
    nonexpert_color: str = NONEXPERT
    is_swapped: bool = False
    is_blind: bool = False

    @property
    def first(self) -> str:
        """Name of the annotator who comes first."""
        return self.nonexpert if self.is_swapped else self.expert

    @property
    def second(self) -> str:
        """Name of the annotator who comes second."""
        return self.expert if self.is_swapped else self.nonexpert

    def color_of(self, name: str) -> str:
        """Return the colour of the annotator called ``name``."""
        return self.expert_color if name == self.expert else self.nonexpert_color

    def color_map(self) -> dict[int | None, str]:
        """Return the colours of a disagreement layer."""
        return {
            BOTH: f"{AGREED_COLOR}1c",
            EXPERT_ONLY: self.expert_color,
            NONEXPERT_ONLY: self.nonexpert_color,
            IGNORED: colors.IGNORED,
            None: "transparent",
        }

    def as_json(self) -> dict[str, Any]:
        """Return what a sidecar says about the way the annotators were shown."""
        if not self.is_blind:
            return {"is_blind": False}
        return {
            "is_blind": True,
            "shown_as": {"expert": self.expert, "nonexpert": self.nonexpert},
            "colors": {
                "expert": self.expert_color,
                "nonexpert": self.nonexpert_color,
            },
        }


OPEN = Naming()


def blind_naming(generator: random.Random | None = None) -> Naming:
    """Return names and colours that do not reveal who the expert is."""
    generator = generator or random.Random()
    is_swapped = generator.random() < 0.5
    colors = [EXPERT, NONEXPERT]
    generator.shuffle(colors)
    names = ["annotator A", "annotator B"]
    if is_swapped:
        names.reverse()
    return Naming(
        names[0], names[1], colors[0], colors[1], is_swapped=is_swapped, is_blind=True
    )


def naming_from_json(stored: Mapping[str, Any]) -> Naming:
    """Return the naming that `Naming.as_json` described, open where it was none."""
    try:
        names, colors = stored["shown_as"], stored["colors"]
        return Naming(
            str(names["expert"]),
            str(names["nonexpert"]),
            str(colors["expert"]),
            str(colors["nonexpert"]),
            is_swapped=str(names["expert"]) > str(names["nonexpert"]),
            is_blind=bool(stored["is_blind"]),
        )
    except (KeyError, TypeError):
        return OPEN
