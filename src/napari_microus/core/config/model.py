"""Which network to build, and how large."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Self

from napari_microus.core.config.base import Bounds, Config, check_bounds, require
from napari_microus.core.extensions import NETWORKS, check_offered


@dataclass(frozen=True)
class TransUNetConfig(Config):
    """Dimensions of a `TransUNet`; the defaults are the paper's R50-ViT-B/16.

    Attributes
    ----------
    encoder : str
        The convolutions before the transformer: "resnet_v2", which the paper has, or
        "efficientnet_lite0" or "efficientnet_lite2", which are lighter and have fixed
        dimensions.
    image_size : int
        Edge of the square input in pixels, a multiple of 16.
    hidden_size, mlp_dim, num_heads, num_layers : int
        The vision transformer: width, width of its perceptron, heads, layers.
    in_channels : int
        Channels of the first convolution; a grey frame is repeated to fill them.
    width : int
        Channels after the first convolution of "resnet_v2"; its stages have 4, 8 and
        16 times it.
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

    encoder: Literal["resnet_v2", "efficientnet_lite0", "efficientnet_lite2"] = (
        "resnet_v2"
    )
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
            self.in_channels == 1 or self.encoder == "resnet_v2",
            f"in_channels must be 1 with the encoder {self.encoder}",
            self.in_channels,
            "Use 1: its weights are summed over the colours.",
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
        wide = ("hidden_size", "mlp_dim", "width", "conv_more_channels")
        check_bounds(
            self,
            {
                **dict.fromkeys((*wide, "decoder_channels"), Bounds(1, 65536)),
                **dict.fromkeys(("num_heads", "num_layers"), Bounds(1, 256)),
                **dict.fromkeys(("bottleneck_expansion", "block_units"), Bounds(1, 64)),
                **dict.fromkeys(("dropout", "attention_dropout"), Bounds(0, 1)),
                "image_size": Bounds(32, 4096),
                "in_channels": Bounds(1, 3),
                "num_skips": Bounds(0, 3),
            },
        )

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

    @classmethod
    def light(cls, **changes: Any) -> Self:
        """Return a network as fast as `small` that starts from ImageNet's weights."""
        values: dict[str, Any] = {
            "encoder": "efficientnet_lite0",
            "image_size": 256,
            "hidden_size": 192,
            "mlp_dim": 768,
            "num_heads": 3,
            "num_layers": 4,
            "in_channels": 1,
            "conv_more_channels": 128,
            "decoder_channels": (64, 32, 16, 8),
            "dropout": 0.0,
        }
        return cls(**values | changes)

    @classmethod
    def medium(cls, **changes: Any) -> Self:
        """Return a network of larger frames that starts from ImageNet's weights."""
        values: dict[str, Any] = {
            "encoder": "efficientnet_lite0",
            "image_size": 320,
            "decoder_channels": (96, 48, 24, 16),
        }
        values = cls.light().to_dict() | values
        return cls(**values | changes)


#: What a model folder calls the mean of several networks.
ENSEMBLE = "ensemble"
ARCHITECTURES = (
    "transunet",
    "resnet50_unet",
    "basic_unet",
    "attention_unet",
    "segresnet",
    "swin_unetr",
)


# Or fewer; the others halve their input five times.
_FOUR_HALVINGS = ("basic_unet", "attention_unet", "segresnet")


@dataclass(frozen=True)
class BaselineConfig(Config):
    """Dimensions of the networks taken from MONAI and from other packages.

    Attributes
    ----------
    image_size : int
        Edge of the square (or cubic) input in pixels, a multiple of 32.
    spatial_dims : int
        2 for frames (B, 1, H, W), 3 for volumes (B, C, D, H, W).
    in_channels : int
        Channels of a volume; frames have one.
    patch_size : tuple of int, optional
        Of volumes: slices, rows and columns that the network sees at once, multiples
        of 32, or of 16 where the network halves them four times ("basic_unet",
        "attention_unet", "segresnet"); None: a cube of ``image_size``.
    width : int, optional
        Channels of the finest scale of "basic_unet", "attention_unet" and
        "segresnet"; None takes MONAI's.
    options : dict
        Of a network of another package: its further keyword arguments.
    """

    image_size: int = 224
    spatial_dims: int = 2
    in_channels: int = 1
    patch_size: tuple[int, int, int] | None = None
    width: int | None = None
    options: dict[str, Any] = field(default_factory=dict, hash=False)

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
        if self.patch_size is not None:
            object.__setattr__(self, "patch_size", tuple(self.patch_size))
            edges = self.patch_size
            require(
                all(edge >= 16 and edge % 16 == 0 for edge in edges)
                and max(edges) >= 32,
                "patch_size must be multiples of 16, one of them 32 or more",
                edges,
                "Choose 16, 32, 48 and so on; smaller volumes are filled up.",
            )
        if self.spatial_dims == 2:
            require(
                self.in_channels == 1 and self.patch_size is None,
                "Frames have one channel and no patch_size",
                f"{self.in_channels} and {self.patch_size}",
                "Set spatial_dims to 3 for volumes.",
            )
        check_bounds(
            self,
            {
                "image_size": Bounds(32, 4096),
                "spatial_dims": Bounds(2, 3),
                "in_channels": Bounds(1, 64),
                "patch_size": Bounds(16, 1024),
                "width": Bounds(4, 1024),
            },
        )


@dataclass(frozen=True)
class ModelConfig(Config):
    """Which network to build, and how large; see `create_model`.

    Attributes
    ----------
    architecture : str
        One of `ARCHITECTURES`, or the name under which an installed package offers
        one, see `core.extensions`.
    transunet : TransUNetConfig
        Used by "transunet".
    baseline : BaselineConfig
        Used by all others.
    """

    architecture: str = "transunet"
    transunet: TransUNetConfig = field(default_factory=TransUNetConfig)
    baseline: BaselineConfig = field(default_factory=BaselineConfig)

    def __post_init__(self) -> None:
        check_offered(NETWORKS, self.architecture, "architecture", ARCHITECTURES)
        require(
            not self.baseline.options or self.is_foreign,
            "model.baseline.options are for a network of another package",
            self.architecture,
            "Leave them out.",
        )
        if self.spatial_dims == 3:
            step = self.edge_step
            require(
                all(edge % step == 0 for edge in self.patch_size),
                f"patch_size must be multiples of {step} with {self.architecture}",
                self.patch_size,
                "Choose others; smaller volumes are filled up.",
            )

    @property
    def edge_step(self) -> int:
        """What the edges of an input must be multiples of, in pixels."""
        halves_four_times = self.architecture in _FOUR_HALVINGS
        return 16 if halves_four_times and self.spatial_dims == 3 else 32

    @property
    def is_foreign(self) -> bool:
        """Whether another package offers the network."""
        return self.architecture not in ARCHITECTURES

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

    @property
    def patch_size(self) -> tuple[int, int, int]:
        """Slices, rows and columns of what a network of volumes sees at once."""
        patch = self.baseline.patch_size
        return patch or (self.image_size, self.image_size, self.image_size)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Channels and edges of one input."""
        if self.spatial_dims == 3:
            return (self.baseline.in_channels, *self.patch_size)
        return (1, self.image_size, self.image_size)

    @classmethod
    def from_dict(cls, values: dict[str, Any], *, section: str = "") -> Self:
        """Return the settings; ``spatial_dims`` may stand for the baseline's own.

        Raises
        ------
        ConfigError
            If it is 3 and the network is one of frames.
        """
        if isinstance(values, dict) and "spatial_dims" in values:
            values = dict(values)
            dims = values.pop("spatial_dims")
            name = values.get("architecture", "transunet")
            require(
                name != "transunet" or dims == 2,
                "spatial_dims must be 2 with transunet",
                dims,
                "Choose another architecture for volumes, such as resnet50_unet.",
            )
            if name != "transunet":
                baseline = {**(values.get("baseline") or {}), "spatial_dims": dims}
                values["baseline"] = baseline
        return super().from_dict(values, section=section)

    @classmethod
    def base(cls, **changes: Any) -> Self:
        """Return the paper's TransUNet, with fields of `TransUNetConfig` changed."""
        return cls(transunet=TransUNetConfig.base(**changes))

    @classmethod
    def small(cls, **changes: Any) -> Self:
        """Return the small TransUNet, with fields of `TransUNetConfig` changed."""
        return cls(transunet=TransUNetConfig.small(**changes))

    @classmethod
    def light(cls, **changes: Any) -> Self:
        """Return the light TransUNet, with fields of `TransUNetConfig` changed."""
        return cls(transunet=TransUNetConfig.light(**changes))

    @classmethod
    def medium(cls, **changes: Any) -> Self:
        """Return the medium TransUNet, with fields of `TransUNetConfig` changed."""
        return cls(transunet=TransUNetConfig.medium(**changes))
