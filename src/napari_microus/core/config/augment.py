"""How a run varies its training frames."""

from __future__ import annotations

from dataclasses import dataclass

from napari_microus.core.config.base import (
    CHANCE,
    Bounds,
    Config,
    check_bounds,
    require,
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
                **dict.fromkeys(("flip_horizontal", "flip_vertical"), CHANCE),
                **dict.fromkeys(("texture", "bars", "shadow"), CHANCE),
                **dict.fromkeys(("resolution", "swap_annotators"), CHANCE),
                **dict.fromkeys(("contrast", "brightness", "speckle"), Bounds(0, 1)),
                **dict.fromkeys(("gamma", "gain_curve"), Bounds(0, 5)),
                "blur": CHANCE,
            },
        )
