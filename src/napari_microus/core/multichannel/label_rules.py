"""Which values of a public data set's labels are the target."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_microus.core.errors import ConfigError, InputError
from napari_microus.core.mask import IGNORE_VALUE

if TYPE_CHECKING:
    from napari_microus.core.volume import Volume


@dataclass(frozen=True)
class LabelRule:
    """The values that a data set's labels may hold, and those that are the target."""

    target: frozenset[int]
    others: frozenset[int]
    told: str


RULES = {
    # ISUP grade groups; 1 is indolent, and does not count.
    "picai_cspca": LabelRule(
        frozenset({2, 3, 4, 5}), frozenset({0, 1}), "PI-CAI's csPCa, 2 to 5"
    ),
    # 1 necrosis and non-enhancing core, 2 oedema, 4 enhancing.
    "brats_whole_tumour": LabelRule(
        frozenset({1, 2, 4}), frozenset({0}), "BraTS' whole tumour, 1, 2 and 4"
    ),
    "brats_tumour_core": LabelRule(
        frozenset({1, 4}), frozenset({0, 2}), "BraTS' tumour core, 1 and 4"
    ),
}


def rule_named(name: str) -> LabelRule:
    """Return a rule by its name.

    Raises
    ------
    ConfigError
        If there is none.
    """
    if name not in RULES:
        raise ConfigError(
            f"A label rule must be one of {', '.join(RULES)}; got '{name}'. Choose "
            "one, or leave it empty for masks of 0 and 1."
        )
    return RULES[name]


def by_rule(labels: Volume, name: str) -> Volume:
    """Return labels as 0, 1 and, where they are undecided, 255.

    Raises
    ------
    ConfigError
        If there is no such rule.
    InputError
        If the labels hold a value that the rule does not know.
    """
    rule = rule_named(name)
    values = np.unique(labels.array)
    known = rule.target | rule.others | {IGNORE_VALUE}
    foreign = [value for value in values.tolist() if value not in known]
    if foreign:
        allowed = ", ".join(str(value) for value in sorted(known))
        raise InputError(
            f"Labels must be those of the rule {name} ({allowed}); got "
            f"{foreign[0]:g}. Choose the rule that fits these labels."
        )
    mask = np.isin(labels.array, list(rule.target)).astype(np.uint8)
    mask[labels.array == IGNORE_VALUE] = IGNORE_VALUE
    return replace(labels, array=mask)
