"""Settings as frozen dataclasses that check themselves and travel as YAML.

A setting is checked where the object is made; a key that no field has is an error
which names the nearest known one.
"""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import yaml

from napari_microus.core.errors import ConfigError
from napari_microus.core.files import written_whole


def require(claim: bool, what: str, value: object, advice: str) -> None:
    """Raise a ConfigError ``<what>; got <value>. <advice>`` unless ``claim`` holds."""
    if not claim:
        raise ConfigError(f"{what}; got {value}. {advice}")


class Config:
    """Base of all settings: frozen dataclasses that read and write YAML.

    Subclasses are frozen dataclasses and check their ranges in ``__post_init__``.
    Fields may be bool, int, float, str, Path, Literal, tuple, dict, another Config,
    or any of these or None.
    """

    @classmethod
    def from_dict(cls, values: dict[str, Any], *, section: str = "") -> Self:
        """Return the settings in ``values``; what is left out keeps its default.

        Raises
        ------
        ConfigError
            If a key is unknown, or a value has the wrong type or is out of range.
        """
        where = section or cls.__name__
        if not isinstance(values, dict):
            raise ConfigError(
                f"{where} must be a mapping of settings; got {values!r}. "
                "Write one 'name: value' a line."
            )
        hints = typing.get_type_hints(cls)
        fields = {f.name: hints[f.name] for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
        for key in values:
            if key not in fields:
                near = difflib.get_close_matches(str(key), fields, n=1, cutoff=0)
                raise ConfigError(
                    f"{where} must hold known settings only; got '{key}'. "
                    f"Did you mean '{near[0]}'?"
                )
        prefix = f"{section}." if section else ""
        return cls(
            **{key: _convert(v, fields[key], prefix + key) for key, v in values.items()}
        )

    @classmethod
    def from_yaml(cls, path: str | Path) -> Self:
        """Return the settings in a YAML file.

        Raises
        ------
        ConfigError
            If the file cannot be read, is no YAML, or holds a wrong setting.
        """
        try:
            values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(
                f"The configuration must be a readable file; got {path} "
                f"({error.strerror}). Check the path."
            ) from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            reason = str(error).replace("\n", " ")
            raise ConfigError(
                f"The configuration must be valid YAML; got {path} ({reason}). "
                "Mend the line."
            ) from error
        return cls.from_dict({} if values is None else values)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain, YAML-ready data."""
        return {
            f.name: _plain(getattr(self, f.name))
            for f in dataclasses.fields(self)  # type: ignore[arg-type]
        }

    def to_yaml(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write every setting to a YAML file, whole or not at all.

        Raises
        ------
        OutputError
            If the file exists and ``overwrite`` is False, or cannot be written.
        """
        text = yaml.safe_dump(self.to_dict(), sort_keys=False, allow_unicode=True)
        with written_whole(path, overwrite=overwrite) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, Config):
        return value.to_dict()
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return str(value) if isinstance(value, Path) else value


def _convert(value: Any, hint: Any, name: str) -> Any:
    """Return a YAML value as the type of its field."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        kinds = [kind for kind in arguments if kind is not type(None)]
        for kind in kinds[:-1]:
            try:
                return _convert(value, kind, name)
            except ConfigError:
                continue
        return _convert(value, kinds[-1], name)
    if origin is Literal:
        choices = ", ".join(map(repr, arguments))
        ok = any(value == a and type(value) is type(a) for a in arguments)
        require(ok, f"{name} must be one of {choices}", repr(value), "Choose one.")
        return value
    if origin is tuple:
        ok = isinstance(value, (list, tuple))
        require(ok, f"{name} must be a list", repr(value), "Write [a, b, ...].")
        if arguments[-1] is Ellipsis:
            kinds = [arguments[0]] * len(value)
        else:
            kinds = list(arguments)
            what = f"{name} must hold {len(kinds)} values"
            require(len(value) == len(kinds), what, len(value), "Mend the list.")
        return tuple(
            _convert(item, kind, f"{name}[{index}]")
            for index, (item, kind) in enumerate(zip(value, kinds, strict=True))
        )
    if origin is dict or hint is dict:
        ok = isinstance(value, dict)
        require(ok, f"{name} must be a mapping", repr(value), "Write key: value lines.")
        return value
    return _convert_plain(value, hint, name)


def _convert_plain(value: Any, hint: Any, name: str) -> Any:
    if isinstance(hint, type) and issubclass(hint, Config):
        return value if isinstance(value, hint) else hint.from_dict(value, section=name)
    if hint is Any:
        return value
    if hint is float and isinstance(value, str):
        # YAML 1.1 reads 1e-4 as text: it wants a dot in the mantissa.
        try:
            value = float(value)
        except ValueError:
            pass
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if hint is Path and isinstance(value, str):
        value = Path(value)
    # A bool is an int to Python, and never what a number was meant to be.
    ok = isinstance(value, hint) and not (hint is int and isinstance(value, bool))
    kinds = {int: "a whole number", float: "a number", bool: "true or false"}
    kinds |= {str: "text", Path: "a path"}
    require(ok, f"{name} must be {kinds.get(hint, hint)}", repr(value), "Mend it.")
    return value


# ---------------------------------------------------------------------------
# Networks


@dataclass(frozen=True)
class TransUNetConfig(Config):
    """Dimensions of a `TransUNet`; the defaults are the paper's R50-ViT-B/16.

    Attributes
    ----------
    image_size : int
        Edge of the square input in pixels, a multiple of 16.
    hidden_size, mlp_dim, num_heads, num_layers : int
        The vision transformer: width, width of its perceptron, heads, layers.
    in_channels : int
        Channels of the first convolution; a grey frame is repeated to fill them.
    width : int
        Channels after the first convolution; ResNet's stages have 4, 8, 16 times it.
    bottleneck_expansion : int
        Output channels of a residual unit over its inner ones.
    block_units : tuple of int
        Residual units in each of the three stages.
    conv_more_channels : int
        Channels with which the transformer's tokens enter the decoder.
    decoder_channels : tuple of int
        Channels of the decoder at 1/8, 1/4, 1/2 and full resolution.
    num_skips : int
        How many decoder stages, from the coarsest, see the encoder's features.
    dropout, attention_dropout : float
        Probabilities in the transformer, while training.
    bottleneck_dilation : bool
        Refine the bottleneck with dilated convolutions (Algorithm 1, step 3b).
    skip_attention : bool
        Weigh the skips by channel and spatial attention (Algorithm 1, step 4a).
    """

    image_size: int = 224
    hidden_size: int = 768
    mlp_dim: int = 3072
    num_heads: int = 12
    num_layers: int = 12
    in_channels: int = 3
    width: int = 64
    bottleneck_expansion: int = 4
    block_units: tuple[int, int, int] = (3, 4, 9)
    conv_more_channels: int = 512
    decoder_channels: tuple[int, int, int, int] = (256, 128, 64, 16)
    num_skips: int = 3
    dropout: float = 0.1
    attention_dropout: float = 0.0
    bottleneck_dilation: bool = False
    skip_attention: bool = False

    def __post_init__(self) -> None:
        for name in ("block_units", "decoder_channels"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        counts = {
            name: getattr(self, name)
            for name in (
                "hidden_size",
                "mlp_dim",
                "num_heads",
                "num_layers",
                "width",
                "bottleneck_expansion",
                "conv_more_channels",
            )
        }
        counts |= {f"block_units[{i}]": n for i, n in enumerate(self.block_units)}
        counts |= {
            f"decoder_channels[{i}]": n for i, n in enumerate(self.decoder_channels)
        }
        for name, count in counts.items():
            require(count >= 1, f"{name} must be at least 1", count, "Raise it.")
        require(
            self.image_size >= 32 and self.image_size % 16 == 0,
            "image_size must be a multiple of 16 and at least 32",
            self.image_size,
            f"Choose {max(32, round(self.image_size / 16) * 16)}.",
        )
        require(
            self.hidden_size % self.num_heads == 0,
            "hidden_size must be a multiple of num_heads",
            f"{self.hidden_size} and {self.num_heads}",
            "Change either.",
        )
        require(
            self.in_channels in (1, 3),
            "in_channels must be 1 or 3",
            self.in_channels,
            "Use 3 to load published weights.",
        )
        require(
            len(self.block_units) == 3,
            "block_units must name three stages",
            self.block_units,
            "Write [a, b, c].",
        )
        require(
            len(self.decoder_channels) == 4,
            "decoder_channels must name four stages",
            self.decoder_channels,
            "Write [a, b, c, d].",
        )
        require(
            0 <= self.num_skips <= 3,
            "num_skips must be 0 to 3",
            self.num_skips,
            "The encoder has three features to hand over.",
        )
        for name in ("dropout", "attention_dropout"):
            value = getattr(self, name)
            ok = 0 <= value < 1
            require(ok, f"{name} must be at least 0 and below 1", value, "Lower it.")

    @classmethod
    def base(cls, **changes: Any) -> Self:
        """Return the paper's network, R50-ViT-B/16, with some fields changed."""
        return cls(**changes)

    @classmethod
    def small(cls, **changes: Any) -> Self:
        """Return a network that runs in real time on a CPU and trains on a laptop."""
        values: dict[str, Any] = {
            "hidden_size": 192,
            "mlp_dim": 768,
            "num_heads": 3,
            "num_layers": 4,
            "in_channels": 1,
            "width": 24,
            "bottleneck_expansion": 2,
            "block_units": (2, 2, 3),
            "conv_more_channels": 128,
            "decoder_channels": (64, 32, 16, 8),
            "dropout": 0.0,
        }
        return cls(**values | changes)


ARCHITECTURES = (
    "transunet",
    "resnet50_unet",
    "basic_unet",
    "attention_unet",
    "segresnet",
    "swin_unetr",
)


@dataclass(frozen=True)
class BaselineConfig(Config):
    """Dimensions of the networks taken from MONAI.

    Attributes
    ----------
    image_size : int
        Edge of the square (or cubic) input in pixels, a multiple of 32.
    spatial_dims : int
        2 for frames (B, 1, H, W), 3 for volumes (B, 1, D, H, W).
    """

    image_size: int = 224
    spatial_dims: int = 2

    def __post_init__(self) -> None:
        require(
            self.image_size >= 32 and self.image_size % 32 == 0,
            "image_size must be a multiple of 32",
            self.image_size,
            f"Choose {max(32, round(self.image_size / 32) * 32)}.",
        )
        require(
            self.spatial_dims in (2, 3),
            "spatial_dims must be 2 or 3",
            self.spatial_dims,
            "Frames have 2, volumes 3.",
        )


@dataclass(frozen=True)
class ModelConfig(Config):
    """Which network to build, and how large; see `create_model`.

    Attributes
    ----------
    architecture : str
        One of `ARCHITECTURES`.
    transunet : TransUNetConfig
        Used by "transunet".
    baseline : BaselineConfig
        Used by all others.
    """

    architecture: str = "transunet"
    transunet: TransUNetConfig = field(default_factory=TransUNetConfig)
    baseline: BaselineConfig = field(default_factory=BaselineConfig)

    def __post_init__(self) -> None:
        require(
            self.architecture in ARCHITECTURES,
            f"architecture must be one of {', '.join(ARCHITECTURES)}",
            repr(self.architecture),
            "Choose one.",
        )

    @property
    def image_size(self) -> int:
        """Edge of the square the network expects, in pixels."""
        if self.architecture == "transunet":
            return self.transunet.image_size
        return self.baseline.image_size

    @property
    def spatial_dims(self) -> int:
        """2 if the network sees single frames, 3 if it sees volumes."""
        return 2 if self.architecture == "transunet" else self.baseline.spatial_dims

    @classmethod
    def base(cls, **changes: Any) -> Self:
        """Return the paper's TransUNet, with fields of `TransUNetConfig` changed."""
        return cls(transunet=TransUNetConfig.base(**changes))

    @classmethod
    def small(cls, **changes: Any) -> Self:
        """Return the small TransUNet, with fields of `TransUNetConfig` changed."""
        return cls(transunet=TransUNetConfig.small(**changes))


if typing.TYPE_CHECKING:
    from napari_microus.core.train.config import TrainConfig as TrainConfig


def __getattr__(name: str) -> Any:
    # Settings of training build on those above and are offered beside them.
    if name == "TrainConfig":
        from napari_microus.core.train.config import TrainConfig

        return TrainConfig
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
