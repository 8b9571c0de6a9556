"""Train a network: one generator, its settings, and the folders it leaves behind.

::

    from napari_microus.core.train import TrainConfig, train

    for event in train(TrainConfig.preset("demo")):
        print(event)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_microus.core.config import (
    AugmentConfig,
    DataConfig,
    LossConfig,
    OptimizerConfig,
    TrainConfig,
    preset_names,
)

if TYPE_CHECKING:
    from napari_microus.core.train.engine import resume, train
    from napari_microus.core.train.finish import TrainResult

__all__ = [
    "AugmentConfig",
    "DataConfig",
    "LossConfig",
    "OptimizerConfig",
    "TrainConfig",
    "TrainResult",
    "preset_names",
    "resume",
    "train",
]


def __getattr__(name: str) -> Any:
    # The engine imports torch; reading a preset or listing runs need not.
    if name in ("resume", "train"):
        from napari_microus.core.train import engine

        return getattr(engine, name)
    if name == "TrainResult":
        from napari_microus.core.train.finish import TrainResult

        return TrainResult
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
