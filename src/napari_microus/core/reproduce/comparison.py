"""What `reproduce` trained and measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_microus.core.config.train import TrainConfig
    from napari_microus.core.reproduce.scoring import CaseRow
    from napari_microus.core.reproduce.shown import ShownFrame
    from napari_microus.core.train.fingerprint import Fingerprint


@dataclass(frozen=True)
class Trained:
    """A recipe as it was trained, once or in several folds.

    Attributes
    ----------
    name : str
        The recipe.
    config : TrainConfig
        Settings of its first run, as they stand in the run's folder.
    losses : list of float
        Training loss of each epoch, the mean over its runs.
    fingerprints : tuple of Fingerprint
        Of its runs; none where a run carries none.
    clean_up, flip : bool
        Whether masks are cleaned up, and averaged with the mirrored frame's.
    tried : dict of float to float
        DSC on the validation cases by learning rate, where rates were tried.
    preset : str
        The preset it is made of; empty where that is the recipe itself.
    varied : dict
        Nested settings in which it differs from its preset.
    """

    name: str
    config: TrainConfig
    losses: list[float]
    fingerprints: tuple[Fingerprint, ...]
    clean_up: bool
    flip: bool
    tried: dict[float, float] = field(default_factory=dict)
    preset: str = ""
    varied: dict[str, Any] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        """The preset's name."""
        return self.preset or self.name


@dataclass(frozen=True)
class Comparison:
    """What `reproduce` measured.

    Attributes
    ----------
    recipes : list of Trained
        In the order in which they were asked for.
    rows : list of CaseRow
        Every recipe and annotator on every case (Table 2).
    split : str
        "test", "validation" or "held-out" (in folds): which cases the rows are of.
    changes : dict
        What was changed in the recipes, such as the network.
    patients : dict of str to str
        The patient of each case of the study.
    other_code : list of str
        What of the runs' code differs from this program's, where it was taken so.
    seeds : int
        Trainings of each recipe, from one random seed each.
    folds : dict of str to int
        The fold of each case, where the study is in folds.
    samples, shown : list of ShownFrame
        Frames with the annotators' outlines, and frames with the recipes'.
    """

    recipes: list[Trained]
    rows: list[CaseRow]
    split: str
    changes: dict[str, Any]
    patients: dict[str, str]
    other_code: list[str]
    seeds: int = 1
    folds: dict[str, int] = field(default_factory=dict)
    samples: list[ShownFrame] = field(default_factory=list)
    shown: list[ShownFrame] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """The recipes' names."""
        return [recipe.name for recipe in self.recipes]

    @property
    def losses(self) -> dict[str, list[float]]:
        """Training loss of each epoch by recipe (the papers' Table 1)."""
        return {recipe.name: recipe.losses for recipe in self.recipes}

    @property
    def annotators(self) -> list[str]:
        """Those with rows who are no recipe."""
        who = dict.fromkeys(row.who for row in self.rows)
        return [name for name in who if name not in self.names]

    @property
    def unit(self) -> str:
        """The unit of all distances."""
        return "mm" if all(row.unit == "mm" for row in self.rows) else "px"

    @property
    def is_chosen_on(self) -> bool:
        """Whether the best epoch was chosen on the cases that are measured."""
        return self.split in ("validation", "held-out")

    def patients_learnt_from(self, recipe: Trained) -> dict[str, set[str]]:
        """Return the patients of a recipe's first run, by part ("train", "val")."""
        cases = recipe.fingerprints[0].cases if recipe.fingerprints else {}
        found: dict[str, set[str]] = {"train": set(), "val": set()}
        for name, case in cases.items():
            found[case["part"]].add(self.patients.get(name, name))
        return found
