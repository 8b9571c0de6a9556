"""From the trained network to a model's folder."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_microus.core.extensions import NETWORKS, provider
from napari_microus.core.statistics import counted
from napari_microus.core.train.card import write_card
from napari_microus.core.train.model_comparison import gland_counts, intervals
from napari_microus.core.train.promote import earlier_copy, promote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from napari_microus.core.config.train import TrainConfig
    from napari_microus.core.train.checkpoint import TrainingState
    from napari_microus.core.train.fingerprint import Fingerprint
    from napari_microus.core.train.model_comparison import Comparison
    from napari_microus.core.train.training_data import TrainingData
    from napari_microus.core.train.validate import CaseScore


def export_model(
    config: TrainConfig,
    network: nn.Module,
    position: TrainingState,
    data: TrainingData,
    human_dice: float | None,
    scores: Sequence[CaseScore],
    comparison: Comparison | None = None,
    fingerprint: Fingerprint | None = None,
) -> Path:
    """Write the model's folder into the run, and into the library if asked for.

    A fine-tuned model that is worse than its start stays out of the library, unless
    ``config.promote`` is "always". Where the same run was stopped before and put a
    model into the library that nobody has touched since, the new one takes its place.

    Returns
    -------
    Path
        The folder in the library, or the run's own.
    """
    from napari_microus.core.library import save_model

    model = config.model
    is_transunet = model.architecture == "transunet"
    options = model.transunet if is_transunet else model.baseline
    described: dict[str, Any] = {
        "architecture": model.architecture,
        "options": options.to_dict(),
        "input": _input(config, data),
        "predict": {
            "opening": config.opening or 0,
            "outline": config.outline or "raw",
            "min_confidence": config.min_confidence or 0.0,
            "along_sweep": config.along_sweep or False,
        },
        "version": "1",
        "learnt_from": _learnt_from(data.provenance),
        "training": shareable(config),
        "run": position.run_id,
        "fingerprint": {} if fingerprint is None else fingerprint.parts,
    }
    if model.is_foreign:
        described["provided_by"] = provider(NETWORKS, model.architecture)
    row = position.history[position.best_epoch]
    metrics = {
        "validation_dice": row["val_dice"],
        "validation_hd95_mm": row["val_hd95_mm"],
        "validation_cases": len(data.validation),
        "validation_distances_in": data.provenance.get("validation_distances_in", "mm"),
        **intervals(scores),
        **gland_counts(scores),
        "human_dice": human_dice,
        "best_epoch": position.best_epoch,
        "epochs": position.epoch,
        "training_s": position.seconds,
    }
    if comparison is not None:
        metrics["before_and_after"] = dataclasses.asdict(comparison)
    parts: dict[str, Any] = {
        "config": described,
        "card": write_card(config, data, metrics, fingerprint),
        "metrics": metrics,
    }
    own = Path(config.output) / "model"
    earlier = earlier_copy(own, config.name)  # before that one is written over
    save_model(own, network, overwrite=True, **parts)
    worse = comparison is not None and comparison.is_worse
    if not config.to_library or (worse and config.promote != "always"):
        return own
    return promote(config.output, config.name, replace=earlier)


def _input(config: TrainConfig, data: TrainingData) -> dict[str, Any]:
    """Return what the network takes, as `predict` must prepare it."""
    model = config.model
    if model.spatial_dims == 2:
        return {"size": model.image_size}
    spacing = config.data.spacing_mm
    return {
        "spatial_dims": 3,
        "patch_size": list(model.patch_size),
        "channels": str(data.provenance["channels"]).split(", "),
        "spacing_mm": None if spacing is None else list(spacing),
        "overlap": config.data.overlap,
    }


def _learnt_from(counts: dict[str, Any]) -> str:
    """Return what a model learnt from in a few words, without identifiers."""
    frames, patients = counts.get("training_frames"), counts.get("training_patients")
    if "channels" in counts:
        cases = counts["training_cases"]
        return f"{counted(cases, 'volume')} of {counted(patients or 0, 'patient')}"
    if patients is None:
        return f"{frames} phantom frames"
    return f"{frames} frames of {patients} patient{'s' * (patients != 1)}"


def shareable(config: TrainConfig) -> dict[str, Any]:
    """Return the settings without paths, which may tell who or where somebody is."""
    values = config.to_dict()
    for name in ("output", "start", "encoder_weights"):
        values[name] = values[name] and Path(values[name]).name
    for name in ("study", "unlabelled", "cache"):
        values["data"][name] = None
    return values
