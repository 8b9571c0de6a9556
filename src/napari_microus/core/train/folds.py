"""A cross-validation as one command: every fold, one summary, one ensemble."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from napari_microus.core.errors import ConfigError, InputError
from napari_microus.core.events import Finished, Notice, StateChanged
from napari_microus.core.files import atomic_write
from napari_microus.core.statistics import (
    DICE_BOUNDS,
    DISTANCE_BOUNDS,
    counted,
    interval_note,
    patient_mean,
    with_interval,
)
from napari_microus.core.study.manifest import Study
from napari_microus.core.train.again import train_or_keep
from napari_microus.core.train.checkpoint import load_checkpoint
from napari_microus.core.train.model_comparison import gland_counts, scores_from
from napari_microus.core.train.promote import promote

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from napari_microus.core.config.train import TrainConfig
    from napari_microus.core.events import Event
    from napari_microus.core.statistics import PatientMean
    from napari_microus.core.train.validate import CaseScore

SUMMARY = "folds.json"
TABLE = "folds.md"


@dataclass(frozen=True)
class FoldsResult:
    """What a cross-validation left behind.

    Attributes
    ----------
    state : str
        "finished", or "stopped" where a fold was.
    folder : Path
        With a run a fold, ``folds.json`` and ``folds.md``.
    model : Path or None
        The ensemble of all folds; None if a fold was stopped.
    dice : PatientMean or None
        Over the patients of all folds, each measured by the fold that had not seen it.
    hd95_mm : PatientMean or None
        The same of HD95.
    interrupt : int
        The signal that stopped it, 0 where none did.
    """

    state: str
    folder: Path
    model: Path | None = None
    dice: PatientMean | None = None
    hd95_mm: PatientMean | None = None
    interrupt: int = 0


def train_folds(
    config: TrainConfig, *, unchecked: bool = False
) -> Generator[Event, None, FoldsResult]:
    """Train on every fold of a study, and put the ensemble into the library.

    A fold that is finished is kept, one that was stopped continues, so the same call
    again continues where it was stopped.

    Parameters
    ----------
    config : TrainConfig
        Of one fold, without ``data.fold``; ``output`` takes a run for each.
    unchecked : bool
        Keep and continue with runs of other code too, or without a fingerprint.

    Yields
    ------
    Event
        As `train` for each fold, with a `Notice` before it.

    Raises
    ------
    ConfigError
        If there is no study, a fold is chosen already, or several processes train.
    InputError
        If the study has no folds, or a run in the folder was made with other
        settings, data or code.
    MicroUSError
        As `train`.
    """
    folds = _folds_of(config)
    folder = Path(config.output)
    scores: dict[int, list[CaseScore]] = {}
    for number, fold in enumerate(folds, start=1):
        yield Notice(f"Fold {fold}, {number} of {len(folds)}.")
        one = _of_fold(config, fold)
        result = yield from train_or_keep(one, unchecked=unchecked)
        if result is not None and result.state == "stopped":
            yield StateChanged("stopped")
            return FoldsResult("stopped", folder, interrupt=result.interrupt)
        scores[fold] = _scores(Path(one.output))
    return (yield from _sum_up(config, folder, scores))


def _folds_of(config: TrainConfig) -> list[int]:
    if config.data.study is None:
        raise ConfigError(
            "A cross-validation needs a study in folds; got phantoms. Give --study.",
            plain=(
                "Phantoms have no folds to cross-validate on. Give a study "
                "with --study."
            ),
        )
    if config.data.fold is not None:
        raise ConfigError(
            "A cross-validation trains on all folds; got data.fold "
            f"{config.data.fold}. Leave the fold out.",
            plain=(
                f"data.fold is {config.data.fold}, and a cross-validation "
                "trains on every fold. Leave the fold out."
            ),
        )
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError(
            "All folds must be trained by one process; got several. Train each fold "
            "into OUTPUT/foldN with --set data.fold=N, and call this with one process "
            "in the end.",
            plain=(
                "Several processes cannot train all folds together. Train "
                "each fold into OUTPUT/foldN with --set data.fold=N, and call "
                "this with one process in the end."
            ),
        )
    study = Study.open(config.data.study)
    folds = sorted({case.fold for case in study.cases if case.fold is not None})
    if len(folds) < 2:
        raise InputError(
            f"A cross-validation needs a study in folds; got {len(folds)} in "
            f"{study.folder}. Split it first: napari-microus study split --folds 5.",
            plain=(
                f"{study.folder} has {len(folds)} folds, and a "
                "cross-validation needs two or more. Split it first: "
                "napari-microus study split --folds 5."
            ),
        )
    return folds


def _of_fold(config: TrainConfig, fold: int) -> TrainConfig:
    return dataclasses.replace(
        config,
        name=f"{config.name}-fold{fold}",
        output=str(Path(config.output) / f"fold{fold}"),
        to_library=False,
        data=dataclasses.replace(config.data, fold=fold),
    )


def _scores(run: Path) -> list[CaseScore]:
    best = run / "checkpoints" / "best.ckpt"
    if not best.exists():
        raise InputError(
            f"Each fold must have been validated once; got none in {run}. Train for "
            "longer.",
            plain=(
                f"The run {run} ended before its first validation. Train for longer."
            ),
        )
    return scores_from(load_checkpoint(best)["scores"])


def _sum_up(
    config: TrainConfig, folder: Path, scores: dict[int, list[CaseScore]]
) -> Generator[Event, None, FoldsResult]:
    """Write the summary, and the ensemble."""
    every = [score for part in scores.values() for score in part]
    dice, hd95 = _means(every)
    summary: dict[str, Any] = {
        "folds": {str(fold): _summed_up(part) for fold, part in scores.items()},
        "all": _summed_up(every),
        "spread": _spread(list(scores.values())),
    }
    table = _table(config, scores)
    for name, text in ((SUMMARY, json.dumps(summary, indent=2) + "\n"), (TABLE, table)):
        with atomic_write(folder / name, overwrite=True) as beside:
            beside.write_text(text, encoding="utf-8")
    model = _write_ensemble(config, folder, list(scores), summary, table)
    found = FoldsResult("finished", folder, model, dice, hd95)
    yield Notice(
        f"DSC {with_interval(dice, '.4f')} over {counted(dice.patients, 'patient')}, "
        f"each measured by the fold that had not seen it. The table is in {TABLE}."
    )
    yield StateChanged("finished")
    yield Finished({"state": "finished", "model": str(model), **summary["all"]})
    return found


def _summed_up(scores: Sequence[CaseScore]) -> dict[str, Any]:
    """Return counts and means of some cases, frames without a gland among them."""
    counts = gland_counts(scores).items()
    return {
        "patients": len({score.patient for score in scores}),
        "cases": len(scores),
        "frames": sum(score.frames for score in scores),
        **{name.removeprefix("validation_"): count for name, count in counts},
        **_plain(*_means(scores)),
    }


def _spread(folds: Sequence[Sequence[CaseScore]]) -> dict[str, float | None]:
    """Return how much the folds' means differ: their standard deviation."""
    means = [_means(part) for part in folds]
    found = {}
    for name, values in (
        ("dice", [dice.mean for dice, _ in means]),
        ("hd95_mm", [hd95.mean for _, hd95 in means]),
    ):
        known = [value for value in values if np.isfinite(value)]
        found[name] = float(np.std(known, ddof=1)) if len(known) > 1 else None
    return found


def _means(scores: Sequence[CaseScore]) -> tuple[PatientMean, PatientMean]:
    return (
        patient_mean([(s.patient, s.dice) for s in scores], DICE_BOUNDS),
        patient_mean([(s.patient, s.hd95_mm) for s in scores], DISTANCE_BOUNDS),
    )


def _plain(dice: PatientMean, hd95: PatientMean) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, mean in (("dice", dice), ("hd95_mm", hd95)):
        known = mean.patients > 0
        found[name] = mean.mean if known else None
        found[f"{name}_interval"] = [mean.low, mean.high] if mean.has_interval else None
    return found


def _table(config: TrainConfig, scores: dict[int, list[CaseScore]]) -> str:
    unit = _unit(Path(config.output), list(scores))
    lines = [
        f"# {config.name}: cross-validation",
        "",
        "Means over the patients of each fold, none of whom its network has learnt "
        "from; 95 % intervals are Student's t over patients. The best epoch of a fold "
        "was chosen on these patients, so that the figures lean to the bright side.",
        "",
        f"| fold | patients | cases | DSC | HD95 {unit} | worst patient (DSC) | "
        "glands lost | false contours |",
        "|---|---|---|---|---|---|---|---|",
    ]
    every = [score for part in scores.values() for score in part]
    rows = {str(fold): part for fold, part in scores.items()} | {"**all**": every}
    for name, part in rows.items():
        dice, hd95 = _means(part)
        means = [
            patient_mean([(s.patient, s.dice) for s in part if s.patient == one]).mean
            for one in {s.patient for s in part}
        ]
        note = interval_note(dice.patients)
        lines.append(
            f"| {name} | {dice.patients} | {len(part)} | "
            f"{with_interval(dice, '.4f')}{f' ({note})' if note else ''} | "
            f"{with_interval(hd95)} | {min(means):.4f} | {_glands(part)} |"
        )
    spread = _spread(list(scores.values()))
    spreads = [
        f"{what} {spread[name]:{form}}{of}"
        for name, what, form, of in (
            ("dice", "DSC", ".4f", ""),
            ("hd95_mm", "HD95", ".2f", f" {unit}"),
        )
        if spread[name] is not None
    ]
    between = ", ".join(spreads) or "unknown"
    lines += ["", f"Standard deviation between folds: {between}."]
    return "\n".join(lines) + "\n"


def _glands(scores: Sequence[CaseScore]) -> str:
    """Return two cells: glands lost, and contours drawn on frames without one."""
    counts = gland_counts(scores)
    if not counts:
        return "– | –"
    glands = counts["validation_glands"]
    without = counts["validation_frames"] - glands
    lost, false = counts["validation_glands_lost"], counts["validation_false_contours"]
    return f"{lost} of {glands} frames | {false} of {without} frames"


def _unit(folder: Path, folds: Sequence[int]) -> str:
    """Return in what the folds' distances are, which their models state."""
    from napari_microus.core.library import read_info

    stated = {
        read_info(folder / f"fold{fold}" / "model").metrics["validation_distances_in"]
        for fold in folds
    }
    return stated.pop() if len(stated) == 1 else "mm or px"


def _write_ensemble(
    config: TrainConfig,
    folder: Path,
    folds: list[int],
    summary: dict[str, Any],
    table: str,
) -> Path:
    """Put the folds' models into one, and into the library if asked for."""
    from napari_microus.core.config import ENSEMBLE
    from napari_microus.core.library import load_model, save_model
    from napari_microus.core.models.network_mean import NetworkMean

    loaded = [load_model(folder / f"fold{fold}" / "model") for fold in folds]
    first = loaded[0].config
    described = {
        **{k: v for k, v in first.items() if k not in ("run", "fingerprint")},
        "architecture": ENSEMBLE,
        "options": {
            "members": [
                {key: one.config[key] for key in ("architecture", "options")}
                for one in loaded
            ]
        },
        "members": [one.weights_sha256 for one in loaded],
    }
    card = (
        f"# {config.name}\n\nNot for clinical use.\n\nThe mean probability of "
        f"{len(folds)} networks, one for each fold of a cross-validation. Together "
        "they have seen every patient of the study, so the figures below are of the "
        f"single networks, not of the ensemble.\n\n{table.split(chr(10), 2)[2]}\n"
        f"## The network of fold {folds[0]}\n\n```\n"
        f"{yaml.safe_dump(first.get('training', {}), sort_keys=False)}```\n"
    )
    save_model(
        folder / "model",
        NetworkMean([one.network for one in loaded]),
        config=described,
        card=card,
        metrics={"cross_validation": summary},
        overwrite=True,
    )
    return promote(folder, config.name) if config.to_library else folder / "model"
