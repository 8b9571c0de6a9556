"""Table 2 case by case: ours, the published columns, and what lies between."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_microus.core.reproduce.page import Grid
from napari_microus.core.reproduce.published import (
    COLUMNS,
    FIRST,
    published_cases,
    published_number,
)
from napari_microus.core.statistics import (
    PairedDifference,
    paired_difference,
    with_interval,
)

if TYPE_CHECKING:
    from napari_microus.core.reproduce.comparison import Comparison
    from napari_microus.core.reproduce.published import Published

#: The papers' names of the three losses of Tables 1 and 2.
PUBLISHED_NAMES = {
    "adaptive_focal": "adaptive focal",
    "pytorch_focal": "PyTorch focal",
    "ag_bce": "AG-BCE",
}
#: The figures of a case, with their form in a table.
FIGURES = (("dice", "DSC", ".4f"), ("hd95", "HD95", ".2f"))


@dataclass(frozen=True)
class BesidePublished:
    """A recipe on one case of the public test set, and the published figures of it.

    Attributes
    ----------
    case : str
        As in the study.
    recipe : str
    dice, hd95_mm : float
        Ours, the mean over seeds; NaN where there is none.
    published : Published
        The paper's row and column.
    """

    case: str
    recipe: str
    dice: float
    hd95_mm: float
    published: Published

    @property
    def dice_difference(self) -> float:
        """Ours less the published."""
        return self.dice - self.published.dice

    @property
    def hd95_difference_mm(self) -> float:
        """Ours less the published."""
        return self.hd95_mm - self.published.hd95_mm


def beside_published(comparison: Comparison) -> list[BesidePublished]:
    """Return our figures of the public test cases beside the published ones."""
    found = []
    for recipe in comparison.names:
        if recipe not in COLUMNS:
            continue
        published = published_cases(COLUMNS[recipe])
        for case in cases_of(comparison, recipe):
            number = published_number(case)
            if number in published:
                dice, hd95 = (
                    case_mean(comparison, recipe, case, name)
                    for name in ("dice", "hd95")
                )
                is_mm = comparison.unit == "mm"
                row = BesidePublished(
                    case, recipe, dice, hd95 if is_mm else math.nan, published[number]
                )
                found.append(row)
    return found


def cases_of(comparison: Comparison, who: str) -> list[str]:
    """Return the cases on which a recipe or annotator was measured, each once."""
    return sorted({row.case for row in comparison.rows if row.who == who})


def case_mean(comparison: Comparison, who: str, case: str, column: str) -> float:
    """Return a figure of a case, the mean over seeds; NaN where it is not defined."""
    values = [
        getattr(row, column)
        for row in comparison.rows
        if row.who == who and row.case == case
    ]
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else math.nan


def published_rows() -> tuple[list[str], list[list[float]]]:
    """Return the paper's Table 2 whole: heads, and 20 rows of case and six figures."""
    columns = {name: published_cases(name) for name in PUBLISHED_NAMES}
    head = ["case"]
    head += [f"{label} DSC" for label in PUBLISHED_NAMES.values()]
    head += [f"{label} HD95 mm" for label in PUBLISHED_NAMES.values()]
    numbers = sorted(next(iter(columns.values())))
    return head, [
        [
            float(number),
            *(column[number].dice for column in columns.values()),
            *(column[number].hd95_mm for column in columns.values()),
        ]
        for number in numbers
    ]


def published_table() -> Grid:
    """Return the paper's Table 2 whole, with its means."""
    head, rows = published_rows()
    cells = [
        [
            f"{row[0]:02.0f}",
            *(_digits(value, index) for index, value in enumerate(row[1:])),
        ]
        for row in rows
    ]
    means = np.mean([row[1:] for row in rows], axis=0)
    cells.append(
        ["mean", *(_digits(value, index) for index, value in enumerate(means))]
    )
    return Grid(head, cells)


def published_differences() -> list[tuple[str, str, PairedDifference]]:
    """Return how the adaptive focal loss differs from the others in Table 2.

    Returns
    -------
    list of (str, str, PairedDifference)
        The other loss's column, "DSC" or "HD95 mm", and the difference.
    """
    found = []
    first = published_cases("adaptive_focal")
    for name in ("ag_bce", "pytorch_focal"):
        other = published_cases(name)
        for column, label in (("dice", "DSC"), ("hd95_mm", "HD95 mm")):
            a, b = (
                [getattr(table[number], column) for number in sorted(first)]
                for table in (first, other)
            )
            found.append((name, label, paired_difference(a, b)))
    return found


def published_words() -> str:
    """Return what the paper's own Table 2 shows of its loss, in a paragraph."""
    said = {(name, label): found for name, label, found in published_differences()}
    dice, hd95 = said["ag_bce", "DSC"], said["ag_bce", "HD95 mm"]
    focal = said["pytorch_focal", "DSC"]
    return (
        f"What Table 2 of {FIRST} itself shows, recomputed from its {dice.count} rows: "
        f"against AG-BCE the adaptive focal loss has a DSC higher by "
        f"{with_interval(dice, '+.4f')} and is higher in {dice.better} of {dice.count} "
        f"cases (Wilcoxon p = {dice.p:.2f}); its HD95 differs by "
        f"{with_interval(hd95, '+.2f')} mm (p = {hd95.p:.2f}): **no gain**. Against "
        f"the PyTorch focal loss the DSC is higher by {with_interval(focal, '+.4f')} "
        f"({focal.better} of {focal.count}, p = {focal.p:.1g}); that column levels off "
        "where a sigmoid applied twice would."
    )


def own_table(comparison: Comparison) -> Grid:
    """Return our figures case by case, one column a recipe and annotator."""
    who = [*comparison.names, *comparison.annotators]
    head = ["case"]
    for _, label, _ in FIGURES:
        unit = "" if label == "DSC" else f" {comparison.unit}"
        head += [f"{name} {label}{unit}" for name in who]
    every = sorted({row.case for row in comparison.rows})
    rows = []
    for case in every:
        cells = [case]
        for column, _, form in FIGURES:
            for name in who:
                value = case_mean(comparison, name, case, column)
                cells.append("–" if math.isnan(value) else format(value, form))
        rows.append(cells)
    return Grid(head, rows)


def beside_table(found: list[BesidePublished]) -> Grid:
    """Return our figures, the published and the differences, case by case."""
    head = ["case", "recipe", "DSC", "published", "difference"]
    head += ["HD95 mm", "published", "difference"]
    rows = []
    for one in found:
        numbers = (
            (one.dice, ".4f"),
            (one.published.dice, ".4f"),
            (one.dice_difference, "+.4f"),
            (one.hd95_mm, ".2f"),
            (one.published.hd95_mm, ".2f"),
            (one.hd95_difference_mm, "+.2f"),
        )
        cells = [
            "–" if math.isnan(value) else format(value, form) for value, form in numbers
        ]
        rows.append([one.case, one.recipe, *cells])
    return Grid(head, rows)


def _digits(value: float, index: int) -> str:
    """Return a cell of Table 2: three columns of DSC, then three of HD95."""
    return f"{value:.4f}" if index < len(PUBLISHED_NAMES) else f"{value:.3f}"
