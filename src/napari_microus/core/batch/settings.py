"""What all scans of a batch share: models, options, and where the results go."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_microus.core import library
from napari_microus.core.errors import CheckpointError, ConfigError
from napari_microus.core.provenance import package_version, resolved

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_microus.core.library import LoadedModel

# What changes how fast a mask is made, and not the mask.
_NO_MATTER = frozenset({"batch_size"})


@dataclass(frozen=True)
class ModelPlace:
    """A model by name, folder and weights, so that another process takes the same."""

    name: str
    folder: Path
    version: str
    weights_sha256: str
    config: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class BatchSettings:
    """What is done to each scan of a batch; made by `batch_settings`.

    Parameters
    ----------
    output : Path
        Folder of the results.
    models : tuple of ModelPlace
        One, or the members of an ensemble.
    device : str
        As for `predict`.
    frames : tuple of int, optional
        Frames of each scan; None for all.
    probability : Path, optional
        Folder of probability maps.
    overwrite : bool
        Replace masks that were made from other scans, models or settings, or by hand.
    predict : dict
        More arguments of `predict`.
    package : str
        Version of this package.
    """

    output: Path
    models: tuple[ModelPlace, ...]
    device: str = "auto"
    frames: tuple[int, ...] | None = None
    probability: Path | None = None
    overwrite: bool = False
    predict: dict[str, Any] = field(default_factory=dict)
    package: str = field(default_factory=package_version)

    def fingerprint(self) -> dict[str, Any]:
        """Return what a mask depends on beside its scan, ready for JSON."""
        options = resolved(self.predict, self.models[0])
        kept = {k: v for k, v in options.items() if k not in _NO_MATTER}
        return {
            "weights_sha256": ", ".join(one.weights_sha256 for one in self.models),
            "frames": "all" if self.frames is None else list(self.frames),
            "settings": kept,
        }

    def load_models(self) -> list[LoadedModel]:
        """Return the models, whose weights must be those that were chosen.

        Raises
        ------
        CheckpointError
            If a model has changed, or another computer has another one.
        """
        loaded = [_load(one, self.device) for one in self.models]
        for wanted, got in zip(self.models, loaded, strict=True):
            if got.weights_sha256 != wanted.weights_sha256:
                raise CheckpointError(
                    "All processes of a batch must use the same weights; got others of "
                    f"'{wanted.name}'. Give every computer the same model.",
                    plain=(
                        "The computers of this batch have different models called "
                        f"'{wanted.name}'. Give every computer the same model."
                    ),
                )
        return loaded


def batch_settings(
    output: str | Path,
    *,
    models: Sequence[str] = (library.DEFAULT_MODEL,),
    device: str = "auto",
    frames: Sequence[int] | None = None,
    probability: str | Path | None = None,
    overwrite: bool = False,
    **predict: Any,
) -> BatchSettings:
    """Find the models of a batch, and return what its scans share.

    Parameters
    ----------
    output : str or Path
        Folder of the results.
    models : sequence of str
        Names of the library, or folders of models.
    device, frames, **predict
        As for `core.predict.predict`.
    probability : str or Path, optional
        Folder of probability maps.
    overwrite : bool
        See `BatchSettings`.

    Raises
    ------
    ConfigError
        If there is no such model.
    CheckpointError
        If it cannot be used.
    """
    found = []
    for name in models:
        info = library.find_model(name)
        info.check()
        library.require_frames(info)
        digest = library.weights_sha256(info.path)
        found.append(
            ModelPlace(
                info.name, info.path.resolve(), info.version, digest, info.config
            )
        )
    if not found:
        raise ConfigError(
            "A batch must have a model; got none. Choose one.",
            plain="No model is chosen. Choose one.",
        )
    return BatchSettings(
        Path(output).resolve(),
        tuple(found),
        device,
        None if frames is None else tuple(frames),
        None if probability is None else Path(probability).resolve(),
        overwrite,
        predict,
    )


def _load(place: ModelPlace, device: str) -> LoadedModel:
    """Load from the same folder, else the model of that name on this computer."""
    where = place.folder if place.folder.is_dir() else place.name
    return library.load_model(str(where), device)
