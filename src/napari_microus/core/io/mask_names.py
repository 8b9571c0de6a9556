"""Which files are named as masks of scans, by what people and tools call them."""

from __future__ import annotations

import re

# What people and tools put behind or before a frame's name for what is drawn on it.
_ROLE = (
    r"(cp_|gt_)?(masks?|seg(mentations?)?|labels?|annotations?|gt|groundtruth|"
    r"ground_truth|outlines?|contours?|overlays?|pred(ictions?)?|prob(ability)?|"
    r"expert|nonexpert|non_expert|capsule)"
)
_SUFFIX = re.compile(rf"[-_. ]{_ROLE}$")
_PREFIX = re.compile(rf"^{_ROLE}[-_. ]")
_WHOLE = re.compile(rf"^{_ROLE}$")


def names_without_role(stem: str) -> list[str]:
    """Return what is left of a name, in lower case, when a mask's role is cut off.

    ``frame1_mask`` and ``mask_frame1`` give ``frame1``; a name without a role gives
    nothing.
    """
    plain = stem.casefold()
    found = (_SUFFIX.sub("", plain), _PREFIX.sub("", plain))
    return [bare for bare in found if bare != plain]


def is_named_as_mask(stem: str) -> bool:
    """Return whether a file's name without its suffix names a mask, no scan."""
    return bool(names_without_role(stem) or _WHOLE.match(stem.casefold()))
