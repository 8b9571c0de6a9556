"""From what a run starts with to its network, and to its full settings."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from napari_microus.core.config import ENSEMBLE, ModelConfig
from napari_microus.core.errors import ConfigError
from napari_microus.core.models import create_model
from napari_microus.core.models.pretrained import load_encoder
from napari_microus.core.provenance import (
    recommended_along_sweep,
    recommended_min_confidence,
    recommended_opening,
    recommended_outline,
)

if TYPE_CHECKING:
    from torch import nn

    from napari_microus.core.config.train import TrainConfig
    from napari_microus.core.library import LoadedModel, ModelInfo


def resolved(config: TrainConfig) -> TrainConfig:
    """Return the settings with what they start from decided; no weights are loaded.

    Published weights become a file, and ``None`` where they are not at hand and not
    needed.

    Raises
    ------
    CheckpointError, ConfigError
        If the start model is missing or broken, or published weights are missing.
    """
    config = _with_published(config)
    if config.start is None:
        return config
    from napari_microus.core.library import find_model

    info = find_model(config.start)
    info.check()
    return _as_started(config, info)


settled = resolved  # its name before, for one release


def start_network(config: TrainConfig) -> tuple[nn.Module, TrainConfig]:
    """Return the network to train, and the settings with its true dimensions.

    Raises
    ------
    CheckpointError, ConfigError
        If the start model is missing or broken, or published weights are missing.
    """
    config = _with_published(config)
    if config.start is None:
        network = create_model(config.model)
        if config.encoder_weights is not None:
            load_encoder(network, config.encoder_weights)
        return network, config
    from napari_microus.core.library import load_model

    loaded = load_model(config.start)
    network = loaded.network.requires_grad_(True).train()
    return network, _as_started(config, loaded)


def _with_published(config: TrainConfig) -> TrainConfig:
    """Return the settings with published weights by their file, or without them."""
    from napari_microus.core.config.published_weights import published_weights
    from napari_microus.core.library.pretrained import find_published

    known = published_weights()
    if config.start in known:
        named = known[config.start]
        fits = named.fits(config.model)
        config = dataclasses.replace(
            config,
            start=None,
            encoder_weights=named.name,
            encoder_weights_needed=True,
            model=config.model if fits else named.network,
        )
    name, is_needed = config.encoder_weights, config.encoder_weights_needed
    if config.start is not None:
        name = None
    elif name in known:
        path = find_published(name)
        if is_needed and path is None:
            raise ConfigError(
                f"The weights {name} must be on this computer; got none. Fetch them "
                f"(napari-microus models fetch {name}), or import their file "
                f"(napari-microus models import {known[name].file.name}).",
                plain=(
                    f"The weights {name} are not on this computer. Fetch them "
                    f"(napari-microus models fetch {name}), or import their file "
                    f"(napari-microus models import {known[name].file.name})."
                ),
            )
        if not is_needed and not known[name].fits(config.model):
            path = None
        name = None if path is None else str(path)
    return dataclasses.replace(
        config, encoder_weights=name, encoder_weights_needed=True
    )


def _as_started(config: TrainConfig, model: LoadedModel | ModelInfo) -> TrainConfig:
    """Return the settings with a start model's network and recommendations."""
    architecture = model.config["architecture"]
    if architecture == ENSEMBLE:
        raise ConfigError(
            "A model to start from must be one network; got an ensemble of several. "
            "Choose the model of one of its folds.",
            plain=(
                "This model is an ensemble of several networks, from which no "
                "training can start. Choose the model of one of its folds."
            ),
        )
    section = "transunet" if architecture == "transunet" else "baseline"
    network = ModelConfig.from_dict(
        {"architecture": architecture, section: model.config["options"]}
    )
    if network.spatial_dims != config.model.spatial_dims:
        kind, other = ("volumes", "frames")[:: 1 if model.channels else -1]
        raise ConfigError(
            f"A start model must be of the recipe's kind; got '{model.name}', a model "
            f"of {kind}, for a recipe of {other}. Choose another recipe or start.",
            plain=f"'{model.name}' is a model of {kind}, and the preset is for "
            f"{other}. Choose another preset, or another model to start from.",
        )
    opening = config.opening
    if opening is None:
        opening = recommended_opening(model)
    outline: Any = config.outline or recommended_outline(model)
    least = config.min_confidence
    if least is None:
        least = recommended_min_confidence(model)
    along_sweep = config.along_sweep
    if along_sweep is None:
        along_sweep = recommended_along_sweep(model)
    return dataclasses.replace(
        config,
        model=network,
        opening=opening,
        outline=outline,
        min_confidence=least,
        along_sweep=along_sweep,
    )
