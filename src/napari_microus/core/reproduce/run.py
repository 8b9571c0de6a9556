"""Train each recipe, measure it, and write the comparison."""

from __future__ import annotations

import csv
import dataclasses
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_microus.core.errors import InputError
from napari_microus.core.events import Notice
from napari_microus.core.reproduce.comparison import Comparison, Trained
from napari_microus.core.reproduce.published import OF_THE_PAPERS
from napari_microus.core.reproduce.report import write_report
from napari_microus.core.reproduce.sameness import (
    check_unseen,
    open_study,
)
from napari_microus.core.reproduce.scoring import (
    CaseRow,
    Group,
    groups_to_score,
    score_annotators,
    score_model,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from napari_microus.core.events import Event
    from napari_microus.core.study import Study

DEFAULT_PRESETS = (
    "paper",
    "paper-focal-as-published",
    "paper-ag-bce",
    "focal",
    "microsegnet",
    "best",
)
# Averaging with the mirrored frame belongs to our recipes.
_FLIPPED = frozenset({"best", "best-small"})


def reproduce(
    source: str | Path,
    output: str | Path,
    *,
    presets: Sequence[str] = DEFAULT_PRESETS,
    changes: dict[str, Any] | None = None,
    unchecked: bool = False,
) -> Generator[Event, None, Path]:
    """Train the chosen recipes on one study and write tables, plots and a report.

    Runs that are finished are not trained again, and interrupted ones go on, so the
    command can be called again after a break or with one more recipe. A run of other
    settings, data, split or code is refused, and so is a case that was learnt from.

    Parameters
    ----------
    source : path
        A study, or a folder in a layout that `study.import_folder` knows, such as
        the public dataset.
    output : path
        Takes ``runs/``, ``report.md``, ``table1.csv``, ``table2.csv`` and plots.
    presets : sequence of str
        Recipes by name, or YAML files.
    changes : dict, optional
        Nested settings changed in every recipe, such as ``{"epochs": 2}``.
    unchecked : bool
        Take runs of other code too, or without a fingerprint; the report says so.

    Returns
    -------
    Path
        The report.

    Raises
    ------
    MicroUSError
        If the data, a recipe or the folder cannot be used, or a run in it is not of
        these settings and data.
    """
    if not presets:
        raise InputError("A comparison needs at least one recipe; got none. Name one.")
    output, changes = Path(output), changes or {}
    study = open_study(Path(source), output)
    groups, split = groups_to_score(study, changes.get("data", {}).get("fold"))
    recipes: list[Trained] = []
    rows: list[CaseRow] = []
    is_noted = False
    for preset in presets:
        name = Path(preset).stem
        runs = [output / "runs" / _label(name, group) for group in groups]
        clean_up, flip = name not in OF_THE_PAPERS, name in _FLIPPED
        for group, run in zip(groups, runs, strict=True):
            yield Notice(f"Recipe {run.name}")
            yield from _trained(preset, run, study, group, changes, unchecked)
            if split == "test" and not is_noted:
                study.open_test_set(f"reproduce {' '.join(presets)}")
                is_noted = True
            measure = partial(score_model, flip=flip, clean_up=clean_up)
            rows += yield from _scored(name, run, study, group, changes, measure)
        recipes.append(_told(name, runs, clean_up=clean_up, flip=flip))
    for group in groups:
        rows += score_annotators(study, group.cases)
    comparison = Comparison(
        recipes,
        rows,
        split,
        changes,
        patients={case.case: case.patient for case in study.cases},
        other_code=_other_code(recipes),
    )
    return write_report(comparison, output)


def _told(name: str, runs: list[Path], *, clean_up: bool, flip: bool) -> Trained:
    """Return what the folders of a recipe's runs tell."""
    from napari_microus.core.config.train import TrainConfig
    from napari_microus.core.train.fingerprint import Fingerprint

    prints = [Fingerprint.read(run) for run in runs]
    return Trained(
        name,
        TrainConfig.from_yaml(runs[0] / "config.yaml"),
        _mean_curve([_losses(run) for run in runs]),
        tuple(one for one in prints if one is not None),
        clean_up=clean_up,
        flip=flip,
    )


def _other_code(recipes: list[Trained]) -> list[str]:
    """Return what of the runs' code differs from that which measures them."""
    from napari_microus.core.train.fingerprint import code_version
    from napari_microus.core.train.same_run import code_differences

    found: list[str] = []
    for recipe in recipes:
        if not recipe.fingerprints:
            found.append(f"{recipe.name} carries no fingerprint")
        for one in recipe.fingerprints:
            now = dataclasses.replace(one, code=code_version(), continued=())
            said = code_differences(now, one)
            found += [f"{recipe.name}: {sentence}" for sentence in said]
    return list(dict.fromkeys(found))


def _label(name: str, group: Group) -> str:
    """Return the name of a run's folder."""
    return name if group.fold is None else f"{name}-fold{group.fold}"


def _mean_curve(curves: list[list[float]]) -> list[float]:
    """Return the mean of runs' losses, epoch by epoch, as far as all of them went."""
    return [sum(values) / len(values) for values in zip(*curves, strict=False)]


def _trained(
    preset: str,
    run: Path,
    study: Study,
    group: Group,
    changes: dict[str, Any],
    unchecked: bool,
) -> Generator[Event, None, None]:
    """Train a recipe, or see that the run that is there is of this recipe and data."""
    from napari_microus.core.train import TrainConfig
    from napari_microus.core.train.again import train_or_keep
    from napari_microus.core.train.fingerprint import take_fingerprint
    from napari_microus.core.train.start import settled

    fixed = {
        "output": str(run),
        "to_library": False,
        "data": {"study": str(study.folder)},
    }
    config = TrainConfig.preset(preset, **fixed).with_changes(changes)
    if group.fold is not None:
        config = config.with_changes({"data": {"fold": group.fold}})
    wanted = yield from take_fingerprint(settled(config))
    check_unseen(study, group.cases, wanted)
    yield from train_or_keep(config, wanted, unchecked=unchecked)


def _losses(run: Path) -> list[float]:
    with (run / "curves.csv").open(newline="", encoding="utf-8") as file:
        return [float(row["train_loss"]) for row in csv.DictReader(file)]


def _scored(
    name: str,
    run: Path,
    study: Study,
    group: Group,
    changes: dict[str, Any],
    measure: Callable[..., Generator[Event, None, list[CaseRow]]],
) -> Generator[Event, None, list[CaseRow]]:
    from napari_microus.core.library import load_model

    model = load_model(run / "model")
    device = str(changes.get("device", "auto"))
    return (yield from measure(name, model, study, group.cases, device))
