"""Train each recipe, measure it, and write the comparison."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_microus.core.errors import InputError
from napari_microus.core.events import Notice
from napari_microus.core.reproduce.report import write_report
from napari_microus.core.reproduce.sameness import (
    check_reused,
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
    from collections.abc import Generator, Sequence

    from napari_microus.core.events import Event
    from napari_microus.core.study import Study, StudyCase

# Augmentation at test time belongs to our recipes, not to the papers'.
_OURS = frozenset({"best", "best-small"})
DEFAULT_PRESETS = ("paper-focal-as-published", "focal", "microsegnet", "paper", "best")


@dataclass(frozen=True)
class Comparison:
    """What `reproduce` measured.

    Attributes
    ----------
    losses : dict of list of float
        Training loss of each epoch by recipe (the papers' Table 1); of a study in
        folds the mean over them.
    rows : list of CaseRow
        Every recipe and annotator on every case (Table 2).
    split : str
        "test", "validation" or "held-out" (in folds): which cases the rows are of.
    changes : dict
        What was changed in the recipes, such as the network.
    """

    losses: dict[str, list[float]]
    rows: list[CaseRow]
    split: str
    changes: dict[str, Any]


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
    losses: dict[str, list[float]] = {}
    rows: list[CaseRow] = []
    is_noted = False
    for preset in presets:
        name = Path(preset).stem
        curves = []
        for group in groups:
            run = output / "runs" / _label(name, group)
            yield Notice(f"Recipe {run.name}")
            yield from _trained(preset, run, study, group, changes, unchecked)
            curves.append(_losses(run))
            if split == "test" and not is_noted:
                study.open_test_set(f"reproduce {' '.join(presets)}")
                is_noted = True
            rows += yield from _scored(name, run, study, group.cases, changes)
        losses[name] = _mean_curve(curves)
    for group in groups:
        rows += score_annotators(study, group.cases)
    return write_report(Comparison(losses, rows, split, changes), output)


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
    from napari_microus.core.runs.folder import read_status
    from napari_microus.core.train import TrainConfig, resume, train
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
    if not (run / "config.yaml").exists():
        yield from train(config)
        return
    check_reused(run, wanted, unchecked=unchecked)
    if read_status(run).state == "finished":
        yield Notice("Already trained.")
    else:
        yield from resume(run, unchecked=unchecked)


def _losses(run: Path) -> list[float]:
    with (run / "curves.csv").open(newline="", encoding="utf-8") as file:
        return [float(row["train_loss"]) for row in csv.DictReader(file)]


def _scored(
    name: str,
    run: Path,
    study: Study,
    cases: list[StudyCase],
    changes: dict[str, Any],
) -> Generator[Event, None, list[CaseRow]]:
    from napari_microus.core.library import load_model

    model = load_model(run / "model")
    device = str(changes.get("device", "auto"))
    flip = name in _OURS
    return (yield from score_model(name, model, study, cases, device, flip=flip))
