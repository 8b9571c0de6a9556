"""Train each recipe, measure it, and write the comparison."""

from __future__ import annotations

import csv
import dataclasses
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_microus.core.errors import InputError
from napari_microus.core.events import Notice, StateChanged
from napari_microus.core.reproduce.comparison import Comparison, Trained
from napari_microus.core.reproduce.planning import (
    Run,
    RunStopped,
    best_rate,
    recipes_of,
    search_rate,
    train_run,
)
from napari_microus.core.reproduce.published import OF_THE_PAPERS
from napari_microus.core.reproduce.report import write_report
from napari_microus.core.reproduce.sameness import open_study
from napari_microus.core.reproduce.scoring import (
    CaseRow,
    Group,
    groups_to_score,
    score_annotators,
    score_model,
)
from napari_microus.core.reproduce.shown import cases_to_show, frame_of, sample_frames

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from napari_microus.core.events import Event
    from napari_microus.core.reproduce.planning import Recipe
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
    rates: Sequence[float] = (),
    seeds: int = 1,
    variations: Sequence[dict[str, Any]] = (),
    unchecked: bool = False,
) -> Generator[Event, None, Path | None]:
    """Train the chosen recipes on one study and write tables, figures and a report.

    Runs that are finished are not trained again, and interrupted ones continue, so the
    command can be called again after a break or with one more recipe. A run of other
    settings, data, split or code is refused, and so is a case that was learnt from.

    Parameters
    ----------
    source : path
        A study, or a folder in a layout that `study.import_folder` supports, such as
        the public dataset.
    output : path
        Takes ``runs/``, ``report.html`` and ``report.md``, the tables as CSV and the
        figures as PNG.
    presets : sequence of str
        Recipes by name, or YAML files.
    changes : dict, optional
        Nested settings changed in every recipe, such as ``{"epochs": 2}``.
    variations : sequence of dict, optional
        Nested settings; each recipe is trained once more with each of them, beside
        itself, such as ``[{"loss": {"kernel_sizes": [8, 6, 4, 2]}}]``.
    rates : sequence of float
        Learning rates to try for each recipe, once, with the first seed and on the
        first fold; the one with the best DSC on what that run holds out is used.
        None: the recipe's own.
    seeds : int
        Trainings of each recipe on each fold; 1 takes the recipe's own seed, more
        take 0, 1 and so on.
    unchecked : bool
        Take runs of other code too, or without a fingerprint; the report says so.

    Returns
    -------
    Path or None
        The report; None where somebody stopped a run.

    Raises
    ------
    MicroUSError
        If the data, a recipe or the folder cannot be used, or a run in it is not of
        these settings and data.
    """
    recipes = recipes_of(presets, variations)
    if seeds < 1:
        raise InputError(
            f"A comparison needs at least one seed; got {seeds}. Use 3.",
            plain=f"A comparison with {seeds} seeds is none. Use 3.",
        )
    work = _compare(
        Path(source), Path(output), recipes, changes or {}, rates, seeds, unchecked
    )
    try:
        return (yield from work)
    except RunStopped:
        yield StateChanged("stopped")
        return None


def _compare(
    source: Path,
    output: Path,
    asked: Sequence[Recipe],
    changes: dict[str, Any],
    rates: Sequence[float],
    seeds: int,
    unchecked: bool,
) -> Generator[Event, None, Path]:
    """Do the work of `reproduce`."""
    folder = output / "runs"
    study = open_study(source, output)
    groups, split = groups_to_score(study, changes.get("data", {}).get("fold"))
    every_seed = list(range(seeds)) if seeds > 1 else [None]
    measured = {case.case: case for group in groups for case in group.cases}
    shown = {
        name: frame_of(study, measured[name])
        for name in cases_to_show(sorted(measured))
    }
    recipes: list[Trained] = []
    rows: list[CaseRow] = []
    is_noted = False
    for recipe in asked:
        name, origin = recipe.name, recipe.origin
        clean_up, flip = origin not in OF_THE_PAPERS, origin in _FLIPPED
        rate, tried = None, {}
        if rates:
            tried = yield from search_rate(
                recipe,
                rates,
                groups[0],
                every_seed[0],
                folder,
                study,
                changes,
                unchecked=unchecked,
            )
            rate = best_rate(tried)
        paths = []
        for seed in every_seed:
            for group in groups:
                run = Run(recipe, group, seed, rate)
                yield Notice(f"Recipe {run.label}")
                path = yield from train_run(
                    run, folder, study, changes, unchecked=unchecked
                )
                paths.append(path)
                if split == "test" and not is_noted:
                    names = " ".join(one.name for one in asked)
                    study.open_test_set(f"reproduce {names}")
                    is_noted = True
                measure = partial(
                    score_model,
                    flip=flip,
                    clean_up=clean_up,
                    seed=seed or 0,
                    shown=None if seed else shown,
                )
                rows += yield from _scored(name, path, study, group, changes, measure)
        trained = _trained(recipe, paths, clean_up=clean_up, flip=flip)
        recipes.append(dataclasses.replace(trained, tried=tried))
    for group in groups:
        rows += score_annotators(study, group.cases)
    comparison = Comparison(
        recipes,
        rows,
        split,
        changes,
        patients={case.case: case.patient for case in study.cases},
        other_code=_other_code(recipes),
        seeds=seeds,
        folds={case.case: case.fold for case in study.cases if case.fold is not None},
        samples=sample_frames(study),
        shown=list(shown.values()),
    )
    return write_report(comparison, output)


def _trained(
    recipe: Recipe, runs: list[Path], *, clean_up: bool, flip: bool
) -> Trained:
    """Return what the folders of a recipe's runs hold."""
    from napari_microus.core.config.train import TrainConfig
    from napari_microus.core.train.fingerprint import Fingerprint

    prints = [Fingerprint.read(run) for run in runs]
    return Trained(
        recipe.name,
        TrainConfig.from_yaml(runs[0] / "config.yaml"),
        _mean_curve([_losses(run) for run in runs]),
        tuple(one for one in prints if one is not None),
        clean_up=clean_up,
        flip=flip,
        preset=recipe.origin,
        varied=recipe.varied,
    )


def _other_code(recipes: list[Trained]) -> list[str]:
    """Return what of the runs' code differs from that which measures them."""
    from napari_microus.core.train.fingerprint import code_version, foreign_code
    from napari_microus.core.train.same_run import code_differences

    found: list[str] = []
    for recipe in recipes:
        if not recipe.fingerprints:
            found.append(f"{recipe.name} carries no fingerprint")
        code = code_version() | foreign_code(recipe.config)
        for one in recipe.fingerprints:
            now = dataclasses.replace(one, code=code, continued=())
            said = code_differences(now, one)
            found += [f"{recipe.name}: {sentence}" for sentence in said]
    return list(dict.fromkeys(found))


def _mean_curve(curves: list[list[float]]) -> list[float]:
    """Return the mean of runs' losses, epoch by epoch, as far as all of them went."""
    return [sum(values) / len(values) for values in zip(*curves, strict=False)]


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
