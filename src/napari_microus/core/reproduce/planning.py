"""The runs of a comparison: each recipe by fold, seed and learning rate."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_microus.core.config.train import TrainConfig
from napari_microus.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from napari_microus.core.events import Event
    from napari_microus.core.reproduce.scoring import Group
    from napari_microus.core.study import Study


class RunStopped(Exception):
    """Somebody stopped a run; the others wait for the next call."""


@dataclass(frozen=True)
class Recipe:
    """A preset, or a preset with settings of its own.

    Attributes
    ----------
    preset : str
        By name, or a YAML file.
    varied : dict
        Nested settings in which it differs from its preset.
    """

    preset: str
    varied: dict[str, Any] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        """The preset's name."""
        return Path(self.preset).stem

    @property
    def name(self) -> str:
        """The preset's name and what differs, as a file may be named."""
        from napari_microus.core.train.fingerprint import flat

        parts = [self.origin]
        for setting, value in flat(self.varied).items():
            words = re.sub(r"[^\w.-]+", "-", setting_text(value)).strip("-")
            parts += [setting.rpartition(".")[2], words]
        return "-".join(parts)


def setting_text(value: Any) -> str:
    """Return a setting's value as ``--set`` takes it."""
    return value if isinstance(value, str) else json.dumps(value)


def recipes_of(
    presets: Sequence[str], variations: Sequence[dict[str, Any]]
) -> list[Recipe]:
    """Return every preset, each followed by its variations.

    Raises
    ------
    InputError
        If there is none, or two have one name.
    """
    if not presets:
        raise InputError(
            "A comparison needs at least one recipe; got none. Name one.",
            plain="No recipe is named to compare. Name one or more.",
        )
    found = [Recipe(preset, more) for preset in presets for more in ({}, *variations)]
    names = [recipe.name for recipe in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(
            f"Each recipe is compared once; got '{twice}' twice. Leave one out.",
            plain=f"The recipe '{twice}' is named twice. Leave one out.",
        )
    return found


@dataclass(frozen=True)
class Run:
    """One training of a recipe.

    Attributes
    ----------
    recipe : Recipe
        What is trained.
    group : Group
        Whom it leaves out.
    seed : int, optional
        None keeps the recipe's own.
    rate : float, optional
        Learning rate; None keeps the recipe's own.
    """

    recipe: Recipe
    group: Group
    seed: int | None = None
    rate: float | None = None

    @property
    def label(self) -> str:
        """Name of the run's folder."""
        parts = [self.recipe.name]
        if self.rate is not None:
            parts.append(f"lr{self.rate:g}")
        if self.group.fold is not None:
            parts.append(f"fold{self.group.fold}")
        if self.seed is not None:
            parts.append(f"seed{self.seed}")
        return "-".join(parts)

    def config(
        self, folder: Path, study: Study, changes: dict[str, Any]
    ) -> TrainConfig:
        """Return the settings of the run, in its folder below ``folder``."""
        fixed = {
            "output": str(folder / self.label),
            "to_library": False,
            "data": {"study": str(study.folder)},
        }
        config = TrainConfig.preset(self.recipe.preset, **fixed).with_changes(changes)
        config = config.with_changes(self.recipe.varied)
        own: dict[str, Any] = {}
        if self.group.fold is not None:
            own["data"] = {"fold": self.group.fold}
        if self.seed is not None:
            own["seed"] = self.seed
        if self.rate is not None:
            own["optimizer"] = {"learning_rate": self.rate}
        return config.with_changes(own)


def train_run(
    run: Run,
    folder: Path,
    study: Study,
    changes: dict[str, Any],
    *,
    unchecked: bool,
) -> Generator[Event, None, Path]:
    """Train, or see that what is there is of this recipe and data; return its folder.

    Raises
    ------
    MicroUSError
        If it cannot be trained, or another run has its place.
    RunStopped
        If somebody stops it.
    """
    from napari_microus.core.reproduce.sameness import check_unseen
    from napari_microus.core.train.again import train_or_keep
    from napari_microus.core.train.fingerprint import take_fingerprint
    from napari_microus.core.train.start import resolved

    config = run.config(folder, study, changes)
    wanted = yield from take_fingerprint(resolved(config))
    check_unseen(study, run.group.cases, wanted)
    result = yield from train_or_keep(config, wanted, unchecked=unchecked)
    if result is not None and result.state == "stopped":
        raise RunStopped
    return Path(config.output)


def search_rate(
    recipe: Recipe,
    rates: Sequence[float],
    group: Group,
    seed: int | None,
    folder: Path,
    study: Study,
    changes: dict[str, Any],
    *,
    unchecked: bool,
) -> Generator[Event, None, dict[float, float]]:
    """Train a recipe once at each learning rate and return the validation's DSC.

    It is that of the epoch that the run keeps, on the cases it holds out.
    """
    from napari_microus.core.runs.folder import read_status

    found = {}
    for rate in rates:
        run = Run(recipe, group, seed, rate)
        path = yield from train_run(run, folder, study, changes, unchecked=unchecked)
        found[rate] = read_status(path).best_dice or 0.0
    return found


def best_rate(found: dict[float, float]) -> float:
    """Return the rate of the highest DSC, the smallest of several."""
    return min(found, key=lambda rate: (-found[rate], rate))
