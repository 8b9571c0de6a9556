"""One model's folder: written whole, and read with every doubt spelt out."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from napari_microus.core.config.yaml_text import read_yaml
from napari_microus.core.errors import CheckpointError, ConfigError
from napari_microus.core.files import atomic_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor, nn

WEIGHTS = "model.safetensors"
CONFIG = "config.yaml"
CARD = "model_card.md"
METRICS = "metrics.json"

_MOST_MEMBERS = 64


@dataclass(frozen=True)
class ModelInfo:
    """What a model's folder says about itself, read without loading weights.

    Parameters
    ----------
    name : str
        The folder's name.
    path : Path
        The folder.
    is_bundled : bool
        True for a model that came with the package.
    config : dict
        ``architecture``, ``options``, ``input``, ``version`` and what else the
        maker noted.
    card : str
        The model card, in Markdown.
    metrics : dict
        Measured figures.
    problem : str
        One plain sentence when the folder cannot be used, else empty.
    fault : CheckpointError, optional
        What reading it raised, where it did.
    """

    name: str
    path: Path
    is_bundled: bool = False
    config: dict[str, Any] = field(default_factory=dict)
    card: str = ""
    metrics: dict[str, Any] = field(default_factory=dict)
    problem: str = ""
    fault: CheckpointError | None = field(default=None, repr=False, compare=False)

    def check(self) -> None:
        """Raise CheckpointError where the folder cannot be used."""
        if self.fault is not None:
            raise self.fault
        if self.problem:
            raise CheckpointError(self.problem)

    @property
    def version(self) -> str:
        """The model's own version, as its maker numbered it."""
        return str(self.config.get("version", "unknown"))

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of what a model of volumes takes, in its order; none for frames."""
        return _channels(self.config)

    @property
    def learnt_from(self) -> str:
        """What the model was trained on, in a few words; "" where nobody noted it."""
        return str(self.config.get("learnt_from", ""))

    def origin(self, tr: Callable[[str], str] = str) -> str:
        """Where the model comes from and what it learnt from, in a line.

        ``tr`` gives the words in the language of a window.
        """
        place = tr("Bundled") if self.is_bundled else tr("Your library,")
        learnt = self.learnt_from
        words = f" – {tr('learnt from')} {learnt}" if learnt else ""
        return f"{place} v{self.version}{words}"


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A network in evaluation mode with what is known about it.

    ``weights_sha256`` identifies the weights beyond the name, for provenance.
    """

    network: nn.Module
    name: str
    version: str
    config: dict[str, Any]
    card: str
    metrics: dict[str, Any]
    weights_sha256: str = ""

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of what a model of volumes takes, in its order; none for frames."""
        return _channels(self.config)


def _channels(config: Mapping[str, Any]) -> tuple[str, ...]:
    described = config.get("input")
    if not isinstance(described, dict) or described.get("spatial_dims") != 3:
        return ()
    return tuple(map(str, described.get("channels", ())))


def require_frames(model: ModelInfo | LoadedModel) -> None:
    """Refuse a model of volumes where frames are segmented.

    Raises
    ------
    ConfigError
        With the channels that it takes.
    """
    if model.channels:
        channels = ", ".join(model.channels)
        raise ConfigError(
            f"The model must be one of frames; got '{model.name}', which takes volumes "
            f"of {channels}. Choose another model.",
            plain=f"'{model.name}' segments volumes of {channels}, and this takes a "
            "model of frames. Choose another model.",
        )


def save_model(
    folder: str | Path,
    network: nn.Module,
    *,
    config: dict[str, Any],
    card: str,
    metrics: dict[str, Any],
    overwrite: bool = False,
) -> Path:
    """Write a model's folder whole or not at all, and return its path.

    Parameters
    ----------
    folder : str or Path
        The folder to make; its name becomes the model's name.
    network : Module
        Its ``state_dict`` is stored.
    config : dict
        At least ``architecture`` (str) and ``options`` (the keyword arguments of
        its configuration); also ``input`` and ``version``.
    card, metrics
        Text of the model card, and figures that JSON can hold.
    overwrite : bool
        Replace a folder that exists; it stays until the new one is complete.

    Raises
    ------
    CheckpointError
        If ``config`` lacks a required key.
    OutputError
        If the folder exists and ``overwrite`` is False, or cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    folder = Path(folder)
    _check_config(config, folder)
    with atomic_folder(folder, overwrite=overwrite) as fresh:
        weights = {
            name: tensor.detach().cpu().contiguous().clone()
            for name, tensor in network.state_dict().items()
        }
        try:
            save_file(weights, fresh / WEIGHTS)
        except SafetensorError as error:  # how its writer reports a full disk
            raise OSError(str(error)) from error
        text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
        (fresh / CONFIG).write_text(text, encoding="utf-8")
        (fresh / CARD).write_text(card, encoding="utf-8")
        (fresh / METRICS).write_text(json.dumps(metrics, indent=2), encoding="utf-8")
        # safetensors lets nobody but the writer read; a library may be shared.
        shutil.copymode(fresh / CONFIG, fresh / WEIGHTS)
    return folder


def copy_model(
    source: str | Path,
    folder: str | Path,
    *,
    overwrite: bool = False,
    share_weights: bool = False,
) -> Path:
    """Copy a model's folder whole or not at all, and return the copy.

    Parameters
    ----------
    source, folder : path
        The model, and the folder to make.
    overwrite : bool
        Replace a folder that exists; it stays until the copy is complete.
    share_weights : bool
        Let both name the same weights on the disk, where they can. Ours are never
        changed in place; files of others should be copied.

    Raises
    ------
    OutputError
        If ``folder`` exists and ``overwrite`` is False, or cannot be written.
    """
    folder = Path(folder)
    copy = _link_weights if share_weights else shutil.copy2
    with atomic_folder(folder, overwrite=overwrite) as fresh:
        shutil.copytree(source, fresh, copy_function=copy, dirs_exist_ok=True)
    return folder


def _link_weights(source: str, target: str) -> None:
    """Link the weights, which are large, and copy what people may edit."""
    if Path(source).name == WEIGHTS:
        try:
            os.link(source, target)
        except OSError:  # another disk, or one without links
            shutil.copy2(source, target)
    else:
        shutil.copy2(source, target)


def read_info(folder: str | Path, *, is_bundled: bool = False) -> ModelInfo:
    """Return what a model's folder says about itself; a fault goes to ``problem``."""
    folder = Path(folder)
    try:
        config = _read_config(folder)
        metrics = _read_metrics(folder)
        card = _read_text(folder / CARD) if (folder / CARD).exists() else ""
        if not (folder / WEIGHTS).exists():
            raise _lacks(folder, WEIGHTS)
        problem = _lacking_package(config)
    except CheckpointError as error:
        return ModelInfo(
            folder.name, folder, is_bundled, problem=error.plain, fault=error
        )
    return ModelInfo(folder.name, folder, is_bundled, config, card, metrics, problem)


def read_model(folder: str | Path, device: Any = "cpu") -> LoadedModel:
    """Build the network a folder describes and load its weights.

    Raises
    ------
    CheckpointError
        If a file is missing or unreadable, the architecture is unknown, or the
        weights do not fit; the first missing, unexpected and misshapen entries
        are named.
    """
    info = read_info(folder)
    info.check()
    weights = _read_weights(info.path / WEIGHTS)
    network = build_network(info.config["architecture"], info.config["options"])
    _check_weights(network.state_dict(), weights)
    network.load_state_dict(weights)
    network.to(device).eval().requires_grad_(False)
    return LoadedModel(
        network,
        info.name,
        info.version,
        info.config,
        info.card,
        info.metrics,
        weights_sha256(folder),
    )


def weights_sha256(folder: str | Path) -> str:
    """Return the SHA-256 of a model's weights.

    Raises
    ------
    CheckpointError
        If they cannot be read.
    """
    path = Path(folder) / WEIGHTS
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(
            f"A model's weights must be readable; got {path} ({error.strerror}). "
            "Check its permissions.",
            plain=(
                f"The model's weights {path} cannot be read ({error.strerror}). "
                "Check the permissions."
            ),
        ) from error


def build_network(architecture: str, options: dict[str, Any]) -> nn.Module:
    """Return a fresh network from what ``config.yaml`` says about it.

    Raises
    ------
    CheckpointError
        If this version has no such architecture or option.
    """
    from napari_microus.core.config import ENSEMBLE, ModelConfig
    from napari_microus.core.models import create_model
    from napari_microus.core.models.network_mean import NetworkMean

    if architecture == ENSEMBLE:
        return NetworkMean(
            [
                build_network(member["architecture"], member["options"])
                for member in _members(options)
            ]
        )
    section = "transunet" if architecture == "transunet" else "baseline"
    try:
        config = ModelConfig.from_dict({"architecture": architecture, section: options})
    except ConfigError as error:
        raise CheckpointError(
            f"The model is of another version: {error}",
            plain=(
                "This model was made by another version of this program, and cannot "
                "be used with this one. Update napari-microus, or train it again."
            ),
        ) from error
    return create_model(config)


def _lacking_package(config: Mapping[str, Any]) -> str:
    """Return what to install where a network is one of a package that is not there."""
    from napari_microus.core.config import ARCHITECTURES, ENSEMBLE
    from napari_microus.core.extensions import NETWORKS, provider

    package = config.get("provided_by")
    if not isinstance(package, str) or not package:
        return ""
    names = [config["architecture"]]
    if names == [ENSEMBLE]:
        members: Any = config["options"].get("members")
        members = members if isinstance(members, list) else []
        names = [one.get("architecture") for one in members if isinstance(one, dict)]
    lacking = [
        name
        for name in map(str, names)
        if name not in ARCHITECTURES and not provider(NETWORKS, name)
    ]
    if not lacking:
        return ""
    return (
        f"This model's network '{lacking[0]}' comes from the package {package}, which "
        "is not installed. Install it to use the model."
    )


def _members(options: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what an ensemble says about its members; an ensemble is none itself."""
    members: Any = options.get("members")
    is_list = isinstance(members, list) and 0 < len(members) <= _MOST_MEMBERS
    if not is_list or any(
        not isinstance(member, dict)
        or set(member) != {"architecture", "options"}
        or member["architecture"] == "ensemble"
        or not isinstance(member["options"], dict)
        for member in members
    ):
        raise CheckpointError(
            f"An ensemble must have 1 to {_MOST_MEMBERS} members, each with "
            "architecture and options; got something else. Get a fresh copy of it.",
            plain="This model is damaged. Get a fresh copy of it.",
        )
    return list(members)


def _check_weights(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    """Raise unless ``found`` has the very entries and shapes, all finite."""
    from napari_microus.core.models.weights import not_finite, refuse

    misshapen = [
        f"{name} {tuple(found[name].shape)} for {tuple(value.shape)}"
        for name, value in expected.items()
        if name in found and found[name].shape != value.shape
    ]
    refuse(
        [name for name in expected if name not in found],
        [name for name in found if name not in expected],
        misshapen,
    )
    for name, value in found.items():
        if value.is_floating_point() and not value.isfinite().all():
            raise not_finite(name)


def _read_weights(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            f"Weights must be a complete safetensors file; got {path} ({error}). "
            "Get a fresh copy of the model.",
            plain=(
                f"The model's weights {path} are incomplete or damaged. Get a fresh "
                "copy of the model."
            ),
        ) from error


def _read_config(folder: Path) -> dict[str, Any]:
    if not (folder / CONFIG).exists():
        raise _lacks(folder, CONFIG)
    try:
        config = read_yaml(_read_text(folder / CONFIG))
    except yaml.YAMLError as error:
        raise CheckpointError(
            f"A model's configuration must be YAML; got {folder / CONFIG}, which "
            "does not parse. Get a fresh copy of the model.",
            plain=(
                f"The model in {folder} is damaged ({CONFIG}). Get a fresh copy of it."
            ),
        ) from error
    _check_config(config, folder)
    return config


def _check_config(config: Any, folder: Path) -> None:
    kinds = {"architecture": str, "options": dict}
    for name, kind in kinds.items():
        value = config.get(name) if isinstance(config, dict) else None
        if not isinstance(value, kind):
            raise CheckpointError(
                f"A model's configuration must have '{name}' ({kind.__name__}); got "
                f"{value!r} in {folder}. Get a fresh copy of the model.",
                plain=(
                    f"The model in {folder} is damaged (no '{name}'). Get a fresh "
                    "copy of it."
                ),
            )


def _read_metrics(folder: Path) -> dict[str, Any]:
    if not (folder / METRICS).exists():
        return {}
    try:
        metrics = json.loads(_read_text(folder / METRICS))
    except json.JSONDecodeError as error:
        raise CheckpointError(
            f"A model's metrics must be JSON; got {folder / METRICS}, which does not "
            "parse. Get a fresh copy of the model.",
            plain=(
                f"The model in {folder} is damaged ({METRICS}). Get a fresh copy of it."
            ),
        ) from error
    return metrics if isinstance(metrics, dict) else {}


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(
            f"A model's files must be readable text; got {path} ({error}). "
            "Get a fresh copy of the model.",
            plain=(
                f"The model's file {path} cannot be read. Get a fresh copy of the "
                "model."
            ),
        ) from error


def _lacks(folder: Path, name: str) -> CheckpointError:
    return CheckpointError(
        f"A model's folder must hold {name}; got {folder} without it. "
        "Get a fresh copy of the model.",
        plain=(
            f"{folder} is no whole model: {name} is missing. Get a fresh copy of the "
            "model."
        ),
    )
