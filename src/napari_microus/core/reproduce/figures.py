"""The papers' figures: samples, contours of the losses, and who agrees with whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_microus.core.colors import EXPERT, NONEXPERT
from napari_microus.core.compare.bland_altman import bland_altman
from napari_microus.core.pictures import Contour, draw_outline
from napari_microus.core.reproduce.cases import PUBLISHED_NAMES
from napari_microus.core.reproduce.published import published_cases
from napari_microus.core.statistics import by_patient

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from napari_microus.core.reproduce.comparison import Comparison
    from napari_microus.core.reproduce.shown import ShownFrame

# Of Okabe and Ito's colours, those that neither annotator has.
_COLORS = ("#f0e442", "#cc79a7", "#009e73", "#d55e00", "#0072b2", "#ffffff")
_PANEL_IN = 3.0


def draw_samples(figure: Figure, frames: Sequence[ShownFrame]) -> None:
    """Draw frames with the outlines of both annotators (Figure 2)."""
    columns = min(4, len(frames))
    rows = -(-len(frames) // columns)
    figure.set_size_inches(_PANEL_IN * columns, (_PANEL_IN * 0.8 + 0.3) * rows + 0.4)
    panels = figure.subplots(rows, columns, squeeze=False).flat
    handles: dict[str, Any] = {}
    for axes, shown in zip(panels, frames, strict=False):
        masks = {"expert": (shown.expert, EXPERT)}
        if "non-expert" in shown.masks:
            masks["non-expert"] = (shown.masks["non-expert"], NONEXPERT)
        _draw(axes, shown, masks, handles)
        axes.set_title(f"{shown.case}, frame {shown.frame}", fontsize=9)
    for axes in list(panels):
        axes.set_axis_off()
    figure.legend(handles=list(handles.values()), loc="outside lower center", ncols=2)


def draw_contours(
    figure: Figure, frames: Sequence[ShownFrame], recipes: Sequence[str]
) -> None:
    """Draw the losses' contours over the same frames (Figures 4 to 6).

    The first column has all of them, then one column a recipe; the expert's is in each.
    """
    columns = 1 + len(recipes)
    width, height = _PANEL_IN * columns, (_PANEL_IN * 0.8 + 0.2) * len(frames) + 0.6
    figure.set_size_inches(width, height)
    panels = figure.subplots(len(frames), columns, squeeze=False)
    handles: dict[str, Any] = {}
    color = dict(zip(recipes, _COLORS * len(recipes), strict=False))
    for row, shown in zip(panels, frames, strict=True):
        there = [name for name in recipes if name in shown.masks]
        for axes, names in zip(row, [there, *([n] for n in recipes)], strict=True):
            masks = {"expert": (shown.expert, EXPERT)}
            masks |= {n: (shown.masks[n], color[n]) for n in names if n in shown.masks}
            _draw(axes, shown, masks, handles)
        row[0].set_title(f"{shown.case}, frame {shown.frame}", fontsize=9)
        for axes, name in zip(row[1:], recipes, strict=True):
            axes.set_title(name, fontsize=9)
    figure.legend(
        handles=list(handles.values()), loc="outside lower center", ncols=columns
    )


def draw_bland_altman(figure: Figure, comparison: Comparison) -> None:
    """Draw differences over means: each recipe against the first, and Table 2's."""
    first, *others = comparison.names
    pairs: list[tuple[str, str, list[float], list[float], list[str] | None]] = []
    figures = (("dice", "DSC"), ("hd95", f"HD95 {comparison.unit}"))
    for name in others:
        for column, label in figures:
            a, b = (_by_patient(comparison, who, column) for who in (first, name))
            shared = [p for p in a if p in b]
            values = [a[p] for p in shared], [b[p] for p in shared]
            pairs.append((f"{first} – {name}", label, *values, shared))
    for column, label in (("dice", "DSC"), ("hd95_mm", "HD95 mm")):
        one, two = (
            [float(getattr(row, column)) for row in published_cases(name).values()]
            for name in ("adaptive_focal", "ag_bce")
        )
        title = f"{PUBLISHED_NAMES['adaptive_focal']} – {PUBLISHED_NAMES['ag_bce']}"
        pairs.append((f"{title}, published", label, one, two, None))
    rows = len(pairs) // len(figures)
    figure.set_size_inches(9, 2.9 * rows)
    panels = figure.subplots(rows, len(figures), squeeze=False).flat
    for axes, (title, label, one, two, patients) in zip(panels, pairs, strict=True):
        _draw_agreement(axes, title, label, two, one, patients)


def _draw_agreement(
    axes: Axes,
    title: str,
    label: str,
    reference: list[float],
    other: list[float],
    patients: list[str] | None,
) -> None:
    found = bland_altman(reference, other, patients)
    axes.set_title(title, fontsize=9)
    if not found.mean.size:
        axes.set_axis_off()
        words = f"No {label}: the two share no patient\nin whom both drew a contour."
        axes.text(0.5, 0.5, words, ha="center", va="center", fontsize=9)
        return
    digits = 4 if label == "DSC" else 2
    axes.plot(found.mean, found.difference, "o", markersize=4, color="#0072b2")
    axes.axhline(0, color="#999999", linewidth=0.8)
    axes.axhline(found.bias, color="#d55e00")
    said = f"bias {found.bias:+.{digits}f}"
    if found.has_limits:
        for bound in (found.lower, found.upper):
            axes.axhline(bound, color="#d55e00", linestyle="--", linewidth=1)
        said += f", limits {found.lower:+.{digits}f} to {found.upper:+.{digits}f}"
    axes.set(xlabel=f"mean of both, {label}", ylabel="difference")
    axes.set_title(f"{title}\n{said}", fontsize=9)


def _by_patient(comparison: Comparison, who: str, column: str) -> dict[str, float]:
    rows = [row for row in comparison.rows if row.who == who]
    return by_patient([(row.patient, getattr(row, column)) for row in rows])


def _draw(
    axes: Axes,
    shown: ShownFrame,
    masks: dict[str, tuple[Any, str]],
    handles: dict[str, Any],
) -> None:
    height, width = shown.image.shape
    extent = (0.0, float(width), height * shown.aspect, 0.0)
    axes.imshow(shown.image, cmap="gray", extent=extent)
    for name, (mask, color) in masks.items():
        handles[name] = draw_outline(axes, Contour(mask, name, color), extent)
    axes.set_axis_off()
