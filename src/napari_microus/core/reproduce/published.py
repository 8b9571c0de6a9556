"""Figures the papers report, to be set beside those measured here.

They lie in ``papers.json``: the first paper's Table 1 (training loss of each epoch) and
Table 2 (DSC and HD95 of twenty test cases, and their means) with its setting, and what
is known of the second paper's.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

FIRST = "arXiv 2509.15595"
MICROSEGNET = "arXiv 2305.19956"

#: The column of the first paper's tables that a recipe repeats.
COLUMNS = {
    "paper": "adaptive_focal",
    "paper-as-coded": "adaptive_focal",
    "paper-focal-as-published": "pytorch_focal",
    "focal": "pytorch_focal",
    "paper-ag-bce": "ag_bce",
}
#: Recipes of the papers, which are measured as the papers do: raw masks.
OF_THE_PAPERS = frozenset({*COLUMNS, "microsegnet", "algorithm-1", "size-smoothness"})


_TEST_CASE = re.compile(r"^test_0*(\d+)$")


@dataclass(frozen=True)
class Published:
    """DSC and HD95 in mm of one case or a mean, and where they stand."""

    dice: float
    hd95_mm: float
    source: str = ""


def published_mean(recipe: str) -> Published | None:
    """Return the mean over the 20 test patients that a recipe's paper reports."""
    if recipe == "microsegnet":
        return Published(0.939, 2.02, f"{MICROSEGNET}, abstract")
    if recipe not in COLUMNS:
        return None
    mean = _first_paper()["text"][COLUMNS[recipe]]
    return Published(mean["dice"], mean["hd95_mm"], f"{FIRST}, Table 2")


def published_losses(column: str) -> list[float]:
    """Return Table 1's training loss of each of ten epochs."""
    rows = _first_paper()["table_1_training_loss_per_epoch"]
    return [float(row[column]) for row in rows]


def published_cases(column: str) -> dict[int, Published]:
    """Return Table 2's row of each test case, by its number."""
    rows = _first_paper()["table_2_test_cases"]
    return {
        row["case"]: Published(row[column]["dice"], row[column]["hd95_mm"])
        for row in rows
    }


def published_number(case: str) -> int | None:
    """Return the number of a case of the public test set in Table 2, else None."""
    found = _TEST_CASE.match(case)
    return int(found[1]) if found else None


def published_setting() -> dict[str, Any]:
    """Return how the first paper trained: sizes, rates, epochs, patients."""
    return dict(_first_paper()["setting"])


def microsegnet_as_cited() -> Published:
    """Return MicroSegNet's figures as the first paper quotes them."""
    cited = _first_paper()["microsegnet_as_cited"]
    return Published(cited["dice"], cited["hd_mm"], FIRST)


@lru_cache(maxsize=1)
def _first_paper() -> dict[str, Any]:
    text = (
        files("napari_microus.core.reproduce")
        .joinpath("papers.json")
        .read_text("utf-8")
    )
    paper: dict[str, Any] = json.loads(text)["fatema_2025_adaptive_focal_loss_micro_us"]
    return paper
