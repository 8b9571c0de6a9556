"""All settings: frozen dataclasses that check themselves and travel as YAML."""

from napari_microus.core.config.augment import AugmentConfig
from napari_microus.core.config.base import Config, require
from napari_microus.core.config.data import DataConfig
from napari_microus.core.config.loss import LossConfig
from napari_microus.core.config.model import (
    ARCHITECTURES,
    ENSEMBLE,
    BaselineConfig,
    ModelConfig,
    TransUNetConfig,
)
from napari_microus.core.config.optimizer import OptimizerConfig
from napari_microus.core.config.presets import preset_names, preset_path
from napari_microus.core.config.train import TrainConfig

__all__ = [
    "ARCHITECTURES",
    "ENSEMBLE",
    "AugmentConfig",
    "BaselineConfig",
    "Config",
    "DataConfig",
    "LossConfig",
    "ModelConfig",
    "OptimizerConfig",
    "TrainConfig",
    "TransUNetConfig",
    "preset_names",
    "preset_path",
    "require",
]
