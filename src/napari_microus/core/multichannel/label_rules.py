"""Which values of a data set's labels are the target."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_microus.core.errors import ConfigError, InputError
from napari_microus.core.mask import IGNORE_VALUE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_microus.core.volume import Volume

# A rule that is written out instead of named, as `written_out` gives it.
_VALUES = r"(\d+(?:\+\d+)*)"
_WRITTEN = re.compile(rf"target={_VALUES} others={_VALUES}(?: ignore=(\d+))?")


@dataclass(frozen=True)
class LabelRule:
    """The values that a data set's labels may hold, and those that are the target.

    ``undecided`` values count in no loss and in no metric, as 255 always does.
    """

    target: frozenset[int]
    others: frozenset[int]
    meaning: str
    undecided: frozenset[int] = frozenset()


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
    """Return a rule by its name, or one that is written out.

    Raises
    ------
    ConfigError
        If there is none.
    """
    if name in RULES:
        return RULES[name]
    found = _WRITTEN.fullmatch(name)
    if found is None:
        raise ConfigError(
            f"A label rule must be one of {', '.join(RULES)}, or written out as "
            f"'target=1+2 others=0+3'; got '{name}'. Choose one, or leave it empty "
            "for masks of 0 and 1.",
            plain=(
                f"There is no label rule '{name}'. Choose {', '.join(RULES)}, "
                "write one out as 'target=1+2 others=0+3', or leave it empty "
                "for masks of 0 and 1."
            ),
        )
    target, others, undecided = (
        frozenset(map(int, part.split("+"))) if part else frozenset[int]()
        for part in found.groups()
    )
    return LabelRule(target, others - target, f"labels {found[1]}", undecided)


def written_out(
    target: Iterable[int], others: Iterable[int], undecided: int | None = None
) -> str:
    """Return a rule as text that `rule_named` reads, "" for masks of 0 and 1."""
    wanted = set(target)
    rest = set(others) - wanted
    if wanted == {1} and rest <= {0} and undecided is None:
        return ""
    text = f"target={_joined(wanted)} others={_joined(rest | {0} - wanted)}"
    return text if undecided is None else f"{text} ignore={undecided}"


def _joined(values: set[int]) -> str:
    return "+".join(map(str, sorted(values)))


def by_rule(labels: Volume, name: str) -> Volume:
    """Return labels as 0, 1 and, where they are undecided, 255.

    Raises
    ------
    ConfigError
        If there is no such rule.
    InputError
        If the labels hold a value that the rule does not cover.
    """
    rule = rule_named(name)
    values = np.unique(labels.array)
    undecided = rule.undecided | {IGNORE_VALUE}
    known = rule.target | rule.others | undecided
    foreign = [value for value in values.tolist() if value not in known]
    if foreign:
        allowed = ", ".join(str(value) for value in sorted(known))
        raise InputError(
            f"Labels must be those of the rule {name} ({allowed}); got "
            f"{foreign[0]:g}. Choose the rule that fits these labels.",
            plain=(
                f"The labels hold {foreign[0]:g}, which the rule {name} does "
                f"not know ({allowed}). Choose the rule that fits these labels."
            ),
        )
    mask = np.isin(labels.array, list(rule.target)).astype(np.uint8)
    mask[np.isin(labels.array, list(undecided))] = IGNORE_VALUE
    return replace(labels, array=mask)
