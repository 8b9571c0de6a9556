"""What a mask should state about its making, in a form that JSON can hold."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_microus.core.library import LoadedModel


def package_version() -> str:
    """Return the version of this package, "unknown" where it is not installed."""
    try:
        return version("napari-microus")
    except PackageNotFoundError:
        return "unknown"


def _advice(model: Any) -> dict[str, Any]:
    """Return what a model recommends for its use; nothing for a bare network."""
    config = getattr(model, "config", None)
    return config.get("predict", {}) if isinstance(config, dict) else {}


def recommended_opening(model: Any) -> int:
    """Return the width of parts that a model recommends to cut off; 0 for none."""
    return int(_advice(model).get("opening", 0))


def recommended_outline(model: Any) -> str:
    """Return the kind of outline that a model recommends, "raw" where it does not."""
    return str(_advice(model).get("outline", "raw"))


def recommended_min_confidence(model: Any) -> float:
    """Return the confidence below which a model recommends to draw nothing."""
    return float(_advice(model).get("min_confidence", 0.0))


def recommended_along_sweep(model: Any) -> bool:
    """Return whether a model recommends to use the frames beside each frame."""
    return bool(_advice(model).get("along_sweep", False))


def resolved(settings: Mapping[str, Any], model: Any) -> dict[str, Any]:
    """Return the settings of a prediction with what it takes from the model.

    ``model`` is a LoadedModel, or a ModelInfo of one that is not loaded.
    """
    filled = dict(settings)
    for name, recommended in (
        ("opening", recommended_opening),
        ("outline", recommended_outline),
        ("min_confidence", recommended_min_confidence),
        ("along_sweep", recommended_along_sweep),
    ):
        if filled.get(name) is None:
            filled[name] = recommended(model)
    return filled


settled = resolved  # its name before, for one release


def segmentation_provenance(
    models: Sequence[LoadedModel],
    *,
    image: str,
    frames: Sequence[int] | None,
    device: str,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Return who drew a mask, from what, when and how.

    Parameters
    ----------
    models : sequence of LoadedModel
        One, or the members of an ensemble.
    image : str
        The scan's name, without its folder: paths may hold names of patients.
    frames : sequence of int, optional
        The segmented frames; None for all.
    device, settings
        As given to `core.predict.predict`; what it takes from the model is filled
        in.
    """
    return {
        "task": "segment",
        "image": image,
        "model": ", ".join(model.name for model in models),
        "model_version": ", ".join(model.version for model in models),
        "weights_sha256": ", ".join(model.weights_sha256 for model in models),
        "package": f"napari-microus {package_version()}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": device,
        "frames": "all" if frames is None else list(frames),
        "settings": resolved(settings, models[0] if models else None),
        "use": "not for clinical use",
    }
