"""All settings: frozen dataclasses that check themselves and travel as YAML."""

from napari_microus.core.config.base import Config, require
from napari_microus.core.config.model import (
    ARCHITECTURES,
    BaselineConfig,
    ModelConfig,
    TransUNetConfig,
)
from napari_microus.core.config.train import (
    AugmentConfig,
    DataConfig,
    LossConfig,
    OptimizerConfig,
    TrainConfig,
    preset_names,
    preset_path,
)

__all__ = [
    "ARCHITECTURES",
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
