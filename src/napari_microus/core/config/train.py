"""Everything that decides how a training run goes, as one YAML file."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, Self

from napari_microus.core.config.base import Bounds, Config, check_bounds, require
from napari_microus.core.config.model import ModelConfig
from napari_microus.core.errors import ConfigError
from napari_microus.core.hard_region import KERNEL_SIZES

_COUNT = Bounds(1, 1e9)
_NOT_NEGATIVE = Bounds(0, 1e9)
_CHANCE = Bounds(0, 1)
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
class DataConfig(Config):
    """Where the frames come from: a study, or phantoms made for the run.

    Attributes
    ----------
    study : str, optional
        Folder of a study; None trains on phantoms.
    fold : int, optional
        Which fold of a study split in k folds is held out for validation.
    phantom_frames : int
        Phantom frames to make when there is no study; made once and kept.
    phantom_val_cases, phantom_val_frames : int
        Phantom scans to validate on, of other seeds, and frames of each.
    phantom_seed : int
        Seed of the phantoms; the run's own seed does not change them.
    unlabelled : str, optional
        Folder of real frames without masks whose texture the training frames take.
    unlabelled_skip : tuple of str
        Beginnings of names of files in that folder to leave out, such as patients
        on whom the model will be measured.
    unlabelled_batch : int
        Unlabelled frames in each step that must be segmented alike before and after
        a change of contrast; 0 uses the unlabelled frames for their texture alone.
    consistency_weight : float
        Weight of that agreement in the loss.
    phantom_share : float
        Of a run on a study: part of the frames of an epoch that are phantoms
        instead, ``phantom_frames`` of which are made; 0 makes none.
    samples_per_epoch : int, optional
        Frames drawn in an epoch; None takes each frame once.
    val_frames_per_case : int, optional
        Frames of each validation case that are measured, evenly spread; None: all.
    channels : tuple of str
        Of volumes: names of the study's channels, in the network's order; none: those
        of its first case.
    spacing_mm : tuple of float, optional
        Of volumes: voxel size (slice, row, column) at which the network sees them;
        None keeps each volume's own.
    patches_per_case : int
        Of volumes: patches drawn from each in an epoch.
    foreground_share : float
        Of volumes: probability that a patch is drawn around a voxel of the target.
    overlap : float
        Of volumes: share of a window that the next one sees again.
    cache : str, optional
        Folder for prepared frames; None is the user's cache folder.
    """

    study: str | None = None
    fold: int | None = None
    phantom_frames: int = 8000
    phantom_val_cases: int = 8
    phantom_val_frames: int = 3
    phantom_seed: int = 1
    unlabelled: str | None = None
    unlabelled_skip: tuple[str, ...] = ()
    unlabelled_batch: int = 0
    consistency_weight: float = 0.1
    phantom_share: float = 0.0
    samples_per_epoch: int | None = None
    val_frames_per_case: int | None = None
    channels: tuple[str, ...] = ()
    spacing_mm: tuple[float, float, float] | None = None
    patches_per_case: int = 4
    foreground_share: float = 0.5
    overlap: float = 0.25
    cache: str | None = None

    def __post_init__(self) -> None:
        for name in ("phantom_frames", "phantom_val_cases", "phantom_val_frames"):
            count = getattr(self, name)
            require(count >= 1, f"{name} must be at least 1", count, "Raise it.")
        for name in ("samples_per_epoch", "val_frames_per_case"):
            count = getattr(self, name)
            ok = count is None or count >= 1
            require(ok, f"{name} must be at least 1 or null", count, "Raise it.")
        share = self.phantom_share
        ok = 0 <= share < 1
        require(ok, "phantom_share must be at least 0 and below 1", share, "Use 0.2.")
        for name in ("unlabelled_batch", "consistency_weight"):
            value = getattr(self, name)
            require(value >= 0, f"{name} must not be negative", value, "Use 0.")
        object.__setattr__(self, "channels", tuple(self.channels))
        once = len(set(self.channels)) == len(self.channels)
        require(once, "channels must be named once", self.channels, "Drop one.")
        check_bounds(
            self,
            {
                "fold": Bounds(0, 999),
                "phantom_frames": _COUNT,
                "phantom_val_cases": _COUNT,
                "phantom_val_frames": _COUNT,
                "phantom_seed": _NOT_NEGATIVE,
                "unlabelled_batch": Bounds(0, 4096),
                "consistency_weight": Bounds(0, 1000),
                "phantom_share": Bounds(0, 1, is_high_open=True),
                "samples_per_epoch": _COUNT,
                "val_frames_per_case": _COUNT,
                "spacing_mm": Bounds(0, 100, is_low_open=True),
                "patches_per_case": Bounds(1, 10000),
                "foreground_share": _CHANCE,
                "overlap": Bounds(0, 1, is_high_open=True),
            },
        )


@dataclass(frozen=True)
class LossConfig(Config):
    """Which loss, and how it is spread over scales and combined with Dice.

    Attributes
    ----------
    name : str
        "adaptive_focal", "ag_bce", "focal", "focal_as_published",
        "size_smoothness", "bce", "dice" or "tversky".
    variability : str
        Of the adaptive loss: "nonexpert_mean" as published, or "disagreement".
    per_sample : bool
        Of the adaptive loss: a gamma for each frame instead of one for the batch.
    hard_weight : float
        Of "ag_bce": weight of the hard region over the easy one.
    alpha, gamma : float
        Of the focal losses.
    convention : str
        Of "focal": alpha on both classes as published, or as Lin et al. (2017).
    form : str
        Of "size_smoothness": the paper's formula or its published code.
    terms : tuple of str
        Of "size_smoothness": which of "alpha_va", "gamma_va" and "gamma_mSa" take
        part; fewer are for ablations.
    tversky_beta : float
        Of "tversky": weight of what is missed; what is too much weighs 1 less it.
    dice_weight : float
        Weight of a Dice loss added to the loss; 0 adds none.
    deep_supervision : bool
        Take the loss at full, 1/2, 1/4 and 1/8 resolution.
    kernel_sizes : tuple of int
        Dilation of the hard region at full, 1/2, 1/4 and 1/8 resolution.
    label_downsampling : str
        How labels reach the coarser scales: by "area", or "published".
    """

    name: Literal[
        "adaptive_focal",
        "ag_bce",
        "focal",
        "focal_as_published",
        "size_smoothness",
        "bce",
        "dice",
        "tversky",
    ] = "adaptive_focal"
    variability: Literal["nonexpert_mean", "disagreement"] = "nonexpert_mean"
    per_sample: bool = False
    hard_weight: float = 4.0
    alpha: float = 0.25
    gamma: float = 2.0
    convention: Literal["published", "lin2017"] = "published"
    form: Literal["paper", "published_code"] = "paper"
    terms: tuple[Literal["alpha_va", "gamma_va", "gamma_mSa"], ...] = (
        "alpha_va",
        "gamma_va",
        "gamma_mSa",
    )
    tversky_beta: float = 0.7
    dice_weight: float = 0.0
    deep_supervision: bool = True
    kernel_sizes: tuple[int, int, int, int] = KERNEL_SIZES
    label_downsampling: Literal["area", "published"] = "area"

    def __post_init__(self) -> None:
        ok = self.dice_weight >= 0
        require(ok, "dice_weight must not be negative", self.dice_weight, "Use 0.")
        ok = self.hard_weight > 0
        require(ok, "hard_weight must be positive", self.hard_weight, "Raise it.")
        object.__setattr__(self, "kernel_sizes", tuple(self.kernel_sizes))
        object.__setattr__(self, "terms", tuple(self.terms))
        once = len(set(self.terms)) == len(self.terms)
        require(once, "terms must name each once", self.terms, "Leave one out.")
        check_bounds(
            self,
            {
                "hard_weight": Bounds(0, 1e6, is_low_open=True),
                "alpha": _CHANCE,
                "gamma": Bounds(0, 20),
                "tversky_beta": Bounds(0, 1, is_low_open=True, is_high_open=True),
                "dice_weight": Bounds(0, 1000),
                "kernel_sizes": Bounds(1, 224),
            },
        )


@dataclass(frozen=True)
class OptimizerConfig(Config):
    """How the weights are changed.

    Attributes
    ----------
    name : str
        "sgd", "adam" or "adamw".
    learning_rate, momentum, weight_decay : float
        Momentum is SGD's.
    schedule : str
        "poly" decays as (1 − step/steps)^power, "cosine" to zero, "constant" stays.
    power : float
        Exponent of the polynomial decay.
    warmup_steps : int
        Steps over which the learning rate rises from zero.
    layer_decay : float
        Each block nearer to the input learns at this fraction of the next one's
        rate; 1 gives all one rate.
    freeze : tuple of str
        Names (or their beginnings) of modules that keep their weights.
    clip_norm : float, optional
        Largest gradient norm; None clips nothing.
    ema : float
        Decay of a running average of the weights that is validated and kept in
        their stead; 0 keeps the weights themselves.
    """

    name: Literal["sgd", "adam", "adamw"] = "sgd"
    learning_rate: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 1e-4
    schedule: Literal["poly", "cosine", "constant"] = "poly"
    power: float = 0.9
    warmup_steps: int = 0
    layer_decay: float = 1.0
    freeze: tuple[str, ...] = ()
    clip_norm: float | None = None
    ema: float = 0.0

    def __post_init__(self) -> None:
        rate = self.learning_rate
        require(rate > 0, "learning_rate must be positive", rate, "Try 0.01.")
        ok = 0 < self.layer_decay <= 1
        what = "layer_decay must be above 0 and at most 1"
        require(ok, what, self.layer_decay, "Use 1 for one rate.")
        ok = 0 <= self.ema < 1
        require(ok, "ema must be at least 0 and below 1", self.ema, "Try 0.99.")
        ok = self.clip_norm is None or self.clip_norm > 0
        require(ok, "clip_norm must be positive or null", self.clip_norm, "Try 1.")
        object.__setattr__(self, "freeze", tuple(self.freeze))
        check_bounds(
            self,
            {
                "learning_rate": Bounds(0, 10, is_low_open=True),
                "momentum": Bounds(0, 1, is_high_open=True),
                "weight_decay": Bounds(0, 10),
                "power": Bounds(0, 20),
                "warmup_steps": _NOT_NEGATIVE,
                "layer_decay": Bounds(0, 1, is_low_open=True),
                "clip_norm": Bounds(0, 1e9, is_low_open=True),
                "ema": Bounds(0, 1, is_high_open=True),
            },
        )


@dataclass(frozen=True)
class AugmentConfig(Config):
    """How training frames are varied; every range is drawn again for each frame.

    Attributes
    ----------
    rotation_deg : float
        Largest rotation to either side.
    scale, shift : float
        Largest relative change of size, and shift as a fraction of the frame.
    flip_horizontal, flip_vertical : float
        Probability of a mirror image.
    contrast, brightness, gamma : float
        Largest relative change of contrast, shift of the mean, and log of gamma.
    speckle : float
        Largest strength of speckle-like noise, as a fraction of full brightness.
    gain_curve : float
        Largest gain or loss along depth and width, in log units.
    blur : float
        Largest part of a blurred copy; the same part is also used to sharpen.
    texture : float
        Probability that a frame takes the texture of an unlabelled one.
    aspect : float
        Largest relative change of width over height.
    elastic : float
        Largest displacement by a smooth bend, as a fraction of the frame.
    bars : float
        Probability, for each side, that the frame ends in a black bar there; the
        capsule then ends at the bar.
    shadow : float
        Probability of each of two acoustic shadows, half of them below a bright
        calcification.
    resolution : float
        Probability that a frame loses half its resolution.
    swap_annotators : float
        Probability that expert and non-expert change places; 0.5 makes two equally
        careful annotators symmetric.
    """

    rotation_deg: float = 0.0
    scale: float = 0.0
    shift: float = 0.0
    flip_horizontal: float = 0.0
    flip_vertical: float = 0.0
    contrast: float = 0.0
    brightness: float = 0.0
    gamma: float = 0.0
    speckle: float = 0.0
    gain_curve: float = 0.0
    blur: float = 0.0
    texture: float = 0.5
    aspect: float = 0.0
    elastic: float = 0.0
    bars: float = 0.0
    shadow: float = 0.0
    resolution: float = 0.0
    swap_annotators: float = 0.0

    def __post_init__(self) -> None:
        for name in (
            "flip_horizontal",
            "flip_vertical",
            "texture",
            "bars",
            "shadow",
            "resolution",
            "swap_annotators",
        ):
            chance = getattr(self, name)
            ok = 0 <= chance <= 1
            require(ok, f"{name} must be a probability", chance, "Use 0 to 1.")
        ok = 0 <= self.scale < 1
        require(ok, "scale must be at least 0 and below 1", self.scale, "Try 0.2.")
        for name in ("aspect", "elastic"):
            value = getattr(self, name)
            ok = 0 <= value < 1
            require(ok, f"{name} must be at least 0 and below 1", value, "Use 0.")
        part = Bounds(0, 1, is_high_open=True)
        check_bounds(
            self,
            {
                **dict.fromkeys(("rotation_deg",), Bounds(0, 180)),
                **dict.fromkeys(("scale", "shift", "aspect", "elastic"), part),
                **dict.fromkeys(("flip_horizontal", "flip_vertical"), _CHANCE),
                **dict.fromkeys(("texture", "bars", "shadow"), _CHANCE),
                **dict.fromkeys(("resolution", "swap_annotators"), _CHANCE),
                **dict.fromkeys(("contrast", "brightness", "speckle"), Bounds(0, 1)),
                **dict.fromkeys(("gamma", "gain_curve"), Bounds(0, 5)),
                "blur": _CHANCE,
            },
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
        for the network; the run's settings tell which it was.
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
                **dict.fromkeys(("epochs", "validate_every", "early_stop"), _COUNT),
                **dict.fromkeys(("batch_size", "micro_batch"), Bounds(1, 1e6)),
                "threads": Bounds(1, 4096),
                "time_limit_s": Bounds(0, 1e9, is_low_open=True),
                "checkpoint_s": Bounds(0, 1e9),
                "seed": Bounds(0, 2**63 - 1),
                "opening": Bounds(0, 224),
                "min_confidence": _CHANCE,
            },
        )

    def _check_volumes(self) -> None:
        """Refuse what training on volumes does not know."""
        data = self.data
        for name in ("unlabelled", "unlabelled_batch", "phantom_share"):
            value = getattr(data, name)
            require(not value, f"Volumes know no data.{name}", value, "Leave it out.")
        for name in _FRAMES_ALONE:
            value = getattr(self.augment, name)
            require(not value, f"Volumes know no augment.{name}", value, "Use 0.")
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


def preset_path(name: str) -> Path:
    """Return the YAML file of a preset, or ``name`` itself where it is a file.

    Raises
    ------
    ConfigError
        If neither exists.
    """
    if name in preset_names():
        return Path(str(files("napari_microus") / "presets" / f"{name}.yaml"))
    path = Path(name)
    if path.suffix in (".yaml", ".yml") and path.is_file():
        return path
    raise ConfigError(
        f"The preset must be one of {', '.join(preset_names())} or a YAML file; got "
        f"'{name}'. Choose one."
    )


def preset_names() -> list[str]:
    """Return the names of the recipes that come with the package."""
    folder = files("napari_microus") / "presets"
    names = [entry.name for entry in folder.iterdir()]
    return sorted(name[:-5] for name in names if name.endswith(".yaml"))


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
