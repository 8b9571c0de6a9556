"""Everything that decides how a training run goes, as one YAML file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Self

from napari_microus.core.config.augment import AugmentConfig
from napari_microus.core.config.base import (
    CHANCE,
    COUNT,
    Bounds,
    Config,
    check_bounds,
    require,
)
from napari_microus.core.config.data import DataConfig
from napari_microus.core.config.loss import LossConfig
from napari_microus.core.config.model import ModelConfig
from napari_microus.core.config.optimizer import OptimizerConfig
from napari_microus.core.config.presets import preset_names, preset_path

__all__ = ["TrainConfig"]
# They stood here; for one release.
__all__ += ["AugmentConfig", "DataConfig", "LossConfig", "OptimizerConfig"]
__all__ += ["preset_names", "preset_path"]

# Augmentation of frames that volumes have not.
_FRAMES_ALONE = (
    "shift",
    "gamma",
    "speckle",
    "gain_curve",
    "blur",
    "aspect",
    "elastic",
    "bars",
    "shadow",
    "resolution",
    "swap_annotators",
)


@dataclass(frozen=True)
class TrainConfig(Config):
    """A whole training run.

    Attributes
    ----------
    output : str
        Run folder; it must not hold a run yet.
    name : str
        Name of the model in the library.
    start : str, optional
        Model to start from (a name in the library or a model folder), or the name of
        published weights ("imagenet21k", "resnet50"), which then also decide the
        network where it does not fit them; None starts from random weights.
    encoder_weights : str, optional
        Published ImageNet weights from which the encoder of a new network starts:
        "imagenet21k", "resnet50", or a file (R50+ViT-B/16's ``.npz``,
        EfficientNet-Lite0's or ResNet50's ``.pth``). Not used with ``start``.
    encoder_weights_needed : bool
        False takes random weights where those named are not on this computer, or not
        for the network; the run's settings name which it was.
    model, data, loss, optimizer, augment : Config
        The parts of the run. With ``start``, that model's own network is used.
    epochs, batch_size : int
        ``batch_size`` is the effective one, over all processes.
    micro_batch : int, optional
        Frames that pass through the network at once in a process; None: all, and
        fewer by itself when memory runs out.
    early_stop : int, optional
        Epochs without a better validation DSC after which the run ends.
    time_limit_s : float, optional
        Seconds of training after which the run ends as if at its last epoch; the
        learning rate then follows the time, and the run cannot be bit-identical.
    validate_every : int
        Epochs between validations; the last epoch is always validated.
    checkpoint_s : float
        Most seconds between checkpoints.
    device : str
        "auto", "cpu", "cuda" or "mps".
    precision : str
        "auto", "32-true", "bf16-mixed" or "16-mixed".
    channels_last : bool
        Store images with the channel innermost, which most devices prefer.
    threads : int, optional
        Threads of a process on a CPU.
    seed : int
        Decides weights, order and augmentation.
    deterministic : bool
        Refuse operations whose result may differ from run to run.
    opening : int, optional
        Recommended with the model: cut off parts of a capsule narrower than this
        many pixels at the network's size. Validation measures the network without.
        None: what the start model recommends, or nothing.
    outline : str, optional
        Recommended with the model: a "smooth" outline or the "raw" mask. None: what
        the start model recommends, or raw.
    min_confidence : float, optional
        Recommended with the model: frames that it is less sure of stay empty. None:
        what the start model recommends, or 0.
    along_sweep : bool, optional
        Recommended with the model: use the frames beside each frame. Validation
        measures the network without. None: what the start model recommends, or not.
    tensorboard : bool
        Write a TensorBoard log too.
    mlflow : bool
        Log the run to MLflow too: to ``MLFLOW_TRACKING_URI``, or into ``mlruns``
        beside the run.
    to_library : bool
        Put the finished model into the user's library, under ``name``.
    promote : str
        "if_not_worse" keeps a fine-tuned model out of the library where it is worse
        than its start on the validation patients; "always" does not ask.
    """

    output: str = "run"
    name: str = "model"
    start: str | None = None
    encoder_weights: str | None = None
    encoder_weights_needed: bool = True
    model: ModelConfig = field(default_factory=ModelConfig.small)
    data: DataConfig = field(default_factory=DataConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    epochs: int = 10
    batch_size: int = 8
    micro_batch: int | None = None
    early_stop: int | None = None
    time_limit_s: float | None = None
    validate_every: int = 1
    checkpoint_s: float = 60.0
    device: str = "auto"
    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed"] = "auto"
    channels_last: bool = True
    threads: int | None = None
    seed: int = 0
    deterministic: bool = False
    opening: int | None = None
    outline: Literal["smooth", "raw"] | None = None
    min_confidence: float | None = None
    along_sweep: bool | None = None
    tensorboard: bool = False
    mlflow: bool = False
    to_library: bool = True
    promote: Literal["if_not_worse", "always"] = "if_not_worse"

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "validate_every"):
            count = getattr(self, name)
            require(count >= 1, f"{name} must be at least 1", count, "Raise it.")
        ok = self.opening is None or self.opening >= 0
        require(ok, "opening must not be negative", self.opening, "Use 0.")
        for name in ("micro_batch", "early_stop", "threads"):
            count = getattr(self, name)
            ok = count is None or count >= 1
            require(ok, f"{name} must be at least 1 or null", count, "Raise it.")
        if self.model.spatial_dims == 3:
            self._check_volumes()
        require(self.seed >= 0, "seed must not be negative", self.seed, "Use 0.")
        check_bounds(
            self,
            {
                **dict.fromkeys(("epochs", "validate_every", "early_stop"), COUNT),
                **dict.fromkeys(("batch_size", "micro_batch"), Bounds(1, 1e6)),
                "threads": Bounds(1, 4096),
                "time_limit_s": Bounds(0, 1e9, is_low_open=True),
                "checkpoint_s": Bounds(0, 1e9),
                "seed": Bounds(0, 2**63 - 1),
                "opening": Bounds(0, 224),
                "min_confidence": CHANCE,
            },
        )

    def _check_volumes(self) -> None:
        """Refuse what training on volumes does not support."""
        data = self.data
        for name in ("unlabelled", "unlabelled_batch", "phantom_share"):
            value = getattr(data, name)
            require(not value, f"Volumes have no data.{name}", value, "Leave it out.")
        for name in _FRAMES_ALONE:
            value = getattr(self.augment, name)
            require(not value, f"Volumes have no augment.{name}", value, "Use 0.")
        count = self.model.baseline.in_channels
        require(
            len(data.channels) in (0, count),
            f"data.channels must name the network's {count} channels",
            ", ".join(data.channels),
            "Change model.baseline.in_channels or the names.",
        )

    @classmethod
    def from_dict(cls, values: dict[str, Any], *, section: str = "") -> Self:
        """Return the settings; ``model: small`` and other names are understood."""
        if isinstance(values, dict) and isinstance(values.get("model"), str):
            values = values | {"model": _named_model(values["model"])}
        return super().from_dict(values, section=section)

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Self:
        """Return a named recipe with some top-level settings changed.

        Parameters
        ----------
        name : str
            One of `preset_names`, or the path of a YAML file.
        **changes
            Fields of this class; a dict for a part changes single settings of it.

        Raises
        ------
        ConfigError
            If there is no such preset, or a setting is unknown or out of range.
        """
        return cls.from_yaml(preset_path(name)).with_changes(changes)

    def with_changes(self, changes: dict[str, Any]) -> Self:
        """Return the settings with nested changes, as ``{"data": {"fold": 1}}``."""
        return type(self).from_dict(_merged(self.to_dict(), changes))


def _named_model(name: str) -> ModelConfig:
    sizes = {
        "small": ModelConfig.small,
        "light": ModelConfig.light,
        "medium": ModelConfig.medium,
        "base": ModelConfig.base,
    }
    what = f"model must be one of {', '.join(sizes)}, or a mapping of settings"
    require(name in sizes, what, repr(name), "Choose one.")
    return sizes[name]()


def _merged(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    result = dict(values)
    for key, change in changes.items():
        kept = result.get(key)
        if isinstance(change, Config):
            change = change.to_dict()
        elif isinstance(change, dict) and isinstance(kept, dict):
            change = _merged(kept, change)
        result[key] = change
    return result
