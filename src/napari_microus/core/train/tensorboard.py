"""A run's figures as a TensorBoard log, where TensorBoard is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_microus.core.errors import ConfigError
from napari_microus.core.events import BatchReport, EpochReport, Event

if TYPE_CHECKING:
    from pathlib import Path


class TensorBoardLog:
    """Turn events into scalars by step and by epoch.

    Raises
    ------
    ConfigError
        If TensorBoard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ConfigError(
                "A TensorBoard log needs the package tensorboard; got none. Install "
                "it with pip, or set tensorboard to false.",
                plain=(
                    "The package tensorboard is not installed. Install it with "
                    "pip, or set tensorboard to false."
                ),
            ) from error
        self._writer = SummaryWriter(str(folder))

    def write(self, event: Event) -> None:
        """Add what ``event`` measured; most events measure nothing."""
        if isinstance(event, BatchReport):
            step = event.epoch * event.batches + event.batch
            names: tuple[str, ...] = ("loss", "learning_rate", "gamma", "frames_per_s")
            self._add("step", names, event, step)
        elif isinstance(event, EpochReport):
            names = ("train_loss", "val_loss", "val_dice", "val_hd95_mm")
            self._add("epoch", names, event, event.epoch + 1)

    def _add(self, group: str, names: tuple[str, ...], event: Event, at: int) -> None:
        for name in names:
            value = getattr(event, name)
            if value is not None:
                self._writer.add_scalar(f"{group}/{name}", value, at)

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()
