"""What varies between machines, settings and patients: the phantom's domain."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_microus.core.errors import InputError

if TYPE_CHECKING:
    from numpy.random import Generator

# The real machine's frame: 962 rows and 1372 columns of 0.033586 mm. A picture is
# as wide as the transducer is long.
FRAME_MM = (962 * 0.033586, 1372 * 0.033586)
APERTURE_MM = FRAME_MM[1]


@dataclass(frozen=True)
class PhantomDomain:
    """Settings that a scan's looks are drawn around; every part still varies by seed.

    Levels are in decibels relative to the gland's tissue before log compression.

    Parameters
    ----------
    depth_mm : float
        Depth of the picture. More than 32.3 mm narrows it on the screen, since a
        frame keeps its shape, as on the real machine.
    gland_db, fat_db, outside_db, zone_db, muscle_db : float
        Level of the gland, of the bright tissue in front of it, of everything else
        outside, of the transition zone relative to the gland, and of the sphincter
        and levator at the apex.
    patchiness_db, clumping_db, streak_db : float
        Strength of slow, of fine and of streaky variation of the tissue.
    capsule_db, halo_db : float
        Level of the capsule's thin line, and of the rim inside it.
    edge_mm : float
        Width over which the gland passes into its surroundings.
    midline_loss : float
        How far the capsule vanishes at the midline: 0 nowhere, 1 entirely.
    wall_mm : float
        Mean thickness of the rectal wall above the gland.
    length_mm, height_mm : float
        Size of the gland in the middle of the sweep.
    roundness : float
        0 hangs a flat-topped semicircle from the rectal wall, 1 an oval below it.
    squareness : float
        Exponent of the superellipse; 2 is an ellipse.
    lobedness : float
        Relative strength of bulges and dents.
    position : float
        Centre of the gland along the transducer, 0 to 1.
    empty_fraction : float
        Share of a sweep's frames beside the gland.
    shadows, gas, calcifications, cysts, nodules : float
        Expected number of each per frame.
    bladder, sphincter : float
        Chance of seeing the bladder at the base and the sphincter at the apex.
    attenuation_db_per_cm, penetration_mm, noise_db : float
        Loss with depth that the gain leaves, the depth beyond which echoes are soon
        lost, and the noise floor at full depth.
    axial_mm, lateral_mm : float
        Size of a speckle (full width at half maximum of the point spread) in focus.
    focus_mm : float
        Depth of the focus.
    frame_coherence : float
        Correlation of the speckle of consecutive frames.
    dynamic_range_db, gain_db, gamma : float
        Log compression: decibels shown, shift before it, exponent after it.
    blur_px : float
        Smoothing of the finished picture, per 481 rows.
    flipped, mirrored : bool
        Left and right exchanged; top and bottom exchanged.

    Raises
    ------
    InputError
        If a value is not finite, or a size, chance or count is out of range.
    """

    depth_mm: float = 28.2
    gland_db: float = 0.0
    fat_db: float = 9.0
    outside_db: float = 1.0
    zone_db: float = -1.0
    muscle_db: float = -3.0
    patchiness_db: float = 2.0
    clumping_db: float = 2.5
    streak_db: float = 2.0
    capsule_db: float = 4.0
    halo_db: float = -4.0
    edge_mm: float = 0.35
    midline_loss: float = 0.7
    wall_mm: float = 1.6
    length_mm: float = 35.0
    height_mm: float = 19.0
    roundness: float = 0.5
    squareness: float = 2.3
    lobedness: float = 0.05
    position: float = 0.44
    empty_fraction: float = 0.11
    shadows: float = 1.0
    gas: float = 0.05
    calcifications: float = 1.5
    cysts: float = 5.0
    nodules: float = 1.0
    bladder: float = 0.5
    sphincter: float = 0.8
    attenuation_db_per_cm: float = 1.5
    penetration_mm: float = 25.0
    noise_db: float = -14.0
    axial_mm: float = 0.16
    lateral_mm: float = 0.5
    focus_mm: float = 15.0
    frame_coherence: float = 0.6
    dynamic_range_db: float = 52.0
    gain_db: float = 0.0
    gamma: float = 1.7
    blur_px: float = 0.6
    flipped: bool = False
    mirrored: bool = False

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            if not math.isfinite(value):
                raise InputError(
                    f"A phantom's {name} must be finite; got {value}. Give a number.",
                    plain=f"A phantom's {name} is {value}. Give a number.",
                )
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if not low <= value <= high:
                raise InputError(
                    f"A phantom's {name} must lie between {low:g} and {high:g}; got "
                    f"{value:g}. Choose a value in that range.",
                    plain=(
                        f"A phantom's {name} is {value:g}. Choose a value from {low:g} "
                        f"to {high:g}."
                    ),
                )


_RANGES = (
    ("depth_mm", 15, 80),
    ("edge_mm", 0.02, 5),
    ("midline_loss", 0, 1),
    ("wall_mm", 0.2, 10),
    ("length_mm", 5, 70),
    ("height_mm", 4, 60),
    ("roundness", 0, 1),
    ("squareness", 1.2, 6),
    ("lobedness", 0, 0.3),
    ("position", 0, 1),
    ("empty_fraction", 0, 0.9),
    ("shadows", 0, 20),
    ("gas", 0, 10),
    ("calcifications", 0, 50),
    ("cysts", 0, 100),
    ("nodules", 0, 50),
    ("bladder", 0, 1),
    ("sphincter", 0, 1),
    ("penetration_mm", 5, 200),
    ("axial_mm", 0.02, 2),
    ("lateral_mm", 0.02, 4),
    ("focus_mm", 1, 100),
    ("frame_coherence", 0, 0.999),
    ("dynamic_range_db", 10, 120),
    ("gamma", 0.2, 5),
    ("blur_px", 0, 10),
)


def _draw(rng: Generator, low: float, high: float) -> float:
    return float(rng.uniform(low, high))


def _draw_log(rng: Generator, low: float, high: float) -> float:
    return math.exp(_draw(rng, math.log(low), math.log(high)))


def typical_domain(rng: Generator) -> PhantomDomain:
    """Draw a domain near what the real machine shows in a well-recorded scan."""
    deep = rng.random()
    depth = 28.2 if deep < 0.62 else 37.7 if deep < 0.9 else 47.7
    return PhantomDomain(
        depth_mm=depth,
        gland_db=_draw(rng, -4, 1),
        fat_db=_draw(rng, 7, 12),
        outside_db=_draw(rng, 0, 4),
        zone_db=_draw(rng, -3, 2),
        muscle_db=_draw(rng, -6, 0),
        patchiness_db=_draw(rng, 2.0, 3.5),
        clumping_db=_draw(rng, 3.3, 4.8),
        streak_db=_draw(rng, 1.5, 3),
        capsule_db=_draw(rng, -2, 6),
        halo_db=_draw(rng, -7, -3),
        edge_mm=_draw(rng, 0.2, 0.6),
        midline_loss=_draw(rng, 0.4, 0.9),
        wall_mm=_draw(rng, 1.0, 2.4) * (depth / 28.2),
        length_mm=_draw(rng, 30, 44),
        height_mm=_draw(rng, 15, 22) * (1 + 0.35 * (depth - 28.2) / 28.2),
        roundness=_draw(rng, 0.2, 0.8),
        squareness=_draw(rng, 2.0, 2.8),
        lobedness=_draw(rng, 0.02, 0.08),
        position=_draw(rng, 0.38, 0.52),
        empty_fraction=0.11,
        shadows=_draw(rng, 0.3, 1.2),
        gas=float(rng.choice([0.0, 0.1])),
        calcifications=_draw(rng, 0, 3),
        cysts=_draw(rng, 0, 8),
        attenuation_db_per_cm=_draw(rng, 0.5, 3.5),
        penetration_mm=_draw(rng, 20, 28) * (depth / 28.2) ** 0.5,
        noise_db=_draw(rng, -17, -11),
        dynamic_range_db=_draw(rng, 42, 51),
        gain_db=_draw(rng, 0, 5),
        axial_mm=_draw(rng, 0.13, 0.19),
        lateral_mm=_draw(rng, 0.42, 0.62),
        gamma=_draw(rng, 1.5, 2.0),
    )


def random_domain(rng: Generator) -> PhantomDomain:
    """Draw a domain from a range far wider than real scans show.

    A network that finds the gland throughout it does not rely on one brightness,
    speckle size, shape, depth or orientation, and so finds it in real frames too.
    """
    depth = float(rng.choice([28.2, 37.7, 47.7], p=[0.5, 0.3, 0.2]))
    if rng.random() < 0.3:
        depth = _draw(rng, 24, 52)
    loose = rng.random() < 0.2
    return PhantomDomain(
        depth_mm=depth,
        gland_db=_draw(rng, -9, 4) if loose else _draw(rng, -5, 2),
        fat_db=_draw(rng, -2, 14) if loose else _draw(rng, 4, 13),
        outside_db=_draw(rng, -9, 8) if loose else _draw(rng, -4, 5),
        zone_db=_draw(rng, -6, 5),
        muscle_db=_draw(rng, -10, 6),
        patchiness_db=_draw(rng, 0.5, 4.5),
        clumping_db=_draw(rng, 1.5, 6.5),
        streak_db=_draw(rng, 0.5, 4.5),
        capsule_db=_draw(rng, -10, 10),
        halo_db=_draw(rng, -10, 2),
        edge_mm=_draw_log(rng, 0.1, 1.2),
        midline_loss=_draw(rng, 0, 1),
        wall_mm=_draw_log(rng, 0.6, 5.0),
        length_mm=_draw(rng, 24, 56),
        height_mm=_draw(rng, 12, 26) * (1 + 0.35 * (depth - 28.2) / 28.2),
        roundness=_draw(rng, 0, 1),
        squareness=_draw(rng, 1.8, 3.4),
        lobedness=_draw(rng, 0, 0.13),
        position=_draw(rng, 0.28, 0.6),
        empty_fraction=0.11,
        shadows=_draw(rng, 0, 3.5),
        gas=float(rng.choice([0.0, 0.0, 0.5])),
        calcifications=_draw(rng, 0, 5),
        cysts=_draw(rng, 0, 14),
        nodules=_draw(rng, 0, 4),
        bladder=0.5,
        sphincter=0.75,
        attenuation_db_per_cm=_draw(rng, -1, 6),
        penetration_mm=_draw(rng, 14, 34),
        noise_db=_draw(rng, -20, -8),
        axial_mm=_draw_log(rng, 0.09, 0.32),
        lateral_mm=_draw_log(rng, 0.3, 1.0),
        focus_mm=_draw(rng, 8, 25),
        dynamic_range_db=_draw(rng, 36, 58),
        gain_db=_draw(rng, -5, 7),
        gamma=_draw_log(rng, 0.9, 2.4),
        blur_px=float(rng.choice([0.0, 0.0, 1.0])) * _draw(rng, 0.5, 2.0),
        flipped=bool(rng.random() < 0.3),
        mirrored=bool(rng.random() < 0.02),
    )
