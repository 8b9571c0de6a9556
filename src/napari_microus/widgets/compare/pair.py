"""Two masks to compare, and whether they share a grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari.layers import Labels

from napari_microus.core.compare.grid import grid_problem
from napari_microus.widgets._shared.layers import is_annotation, volume_from_layer
from napari_microus.widgets._shared.words import tr

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_microus.core.volume import Volume


@dataclass(frozen=True, eq=False)
class Pair:
    """Two Labels layers and the value that means foreground in each."""

    expert: Labels
    nonexpert: Labels
    expert_value: int = 1
    nonexpert_value: int = 1

    def volume(self) -> Volume:
        """Return the expert's layer as a volume, for its grid."""
        return volume_from_layer(self.expert)


def candidate_masks(viewer: ViewerModel) -> list[Labels]:
    """Return the Labels layers that an annotator or a model may have made."""
    return [
        layer
        for layer in viewer.layers
        if isinstance(layer, Labels) and is_annotation(layer)
    ]


def guess_roles(masks: list[Labels]) -> tuple[Labels | None, Labels | None]:
    """Guess from names which mask is the expert's and which the other's."""

    def is_second(layer: Labels) -> bool:
        name = layer.name.lower()
        return any(word in name for word in ("non", "student", "trainee", "crowd"))

    def is_first(layer: Labels) -> bool:
        name = layer.name.lower()
        return any(word in name for word in ("expert", "gold", "reference", "truth"))

    first = next((m for m in masks if is_first(m) and not is_second(m)), None)
    second = next((m for m in masks if is_second(m)), None)
    rest = [mask for mask in masks if mask is not first and mask is not second]
    if first is None and rest:
        first = rest.pop(0)
    if second is None and rest:
        second = rest.pop(0)
    return first, second


def layer_grid_problem(layer: Labels, reference: Labels) -> str | None:
    """Return why two layers cannot be compared, or None."""
    if layer.ndim != reference.ndim:
        kinds = {2: "one frame", 3: "a stack of frames"}
        return (
            f"One mask is {kinds.get(layer.ndim, f'of {layer.ndim} dimensions')}, the "
            f"other {kinds.get(reference.ndim, f'of {reference.ndim} dimensions')}. "
            "Choose two masks of one scan."
        )
    if layer.ndim not in (2, 3):
        return f"'{layer.name}' has {layer.ndim} dimensions. Choose a mask of one scan."
    if getattr(layer, "multiscale", False) or getattr(reference, "multiscale", False):
        return tr(
            "A mask here is kept in several resolutions. Save it as one array first."
        )
    return grid_problem(
        volume_from_layer(layer), volume_from_layer(reference), name="second mask"
    )
