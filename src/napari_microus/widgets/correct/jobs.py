"""What the *Correct* dock computes in a thread; nothing here touches a layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_microus.core.errors import MicroUSError
from napari_microus.core.events import Event, Notice, Progress
from napari_microus.widgets._shared.words import tr

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from napari_microus.core.edit.teach import Taught
    from napari_microus.core.volume import Volume


@dataclass(frozen=True)
class Frames:
    """Masks (Y, X) for frames, a sentence for the user, and whose they are.

    ``taught`` is the model that was adapted for them, if one was.
    """

    masks: dict[int, NDArray[Any]]
    sentence: str
    made_by: str
    taught: Taught | None = None


def interpolate_frames(
    scan: Volume, masks: NDArray[Any], drawn: frozenset[int], model_name: str
) -> Generator[Event, None, Frames]:
    """Fill the frames between drawn ones; see `core.edit.interpolate`.

    A model that cannot be used leaves the frames to the shapes alone, with a notice.
    """
    from napari_microus.core.edit.interpolate import interpolate

    yield Progress(0, 0, "frames", "Interpolating")
    by_shape = interpolate(masks, drawn)  # refuses what cannot be interpolated
    try:
        seen = yield from _probability(scan, tuple(by_shape), model_name)
    except MicroUSError as error:
        yield Notice(tr("By their shapes alone: {why}").format(why=error.plain))
        return Frames(by_shape, f"Interpolated {len(by_shape)} frames.", "interpolated")
    found = interpolate(masks, drawn, {k: seen[k] for k in by_shape})
    said = f"Interpolated {len(found)} frames by their shapes and the model."
    return Frames(found, said, "interpolated with the model")


def carry_frames(
    images: NDArray[Any], mask: NDArray[Any], start: int, end: int
) -> Generator[Event, None, Frames]:
    """Carry one frame's outline through the sweep; see `core.edit.propagate`."""
    from napari_microus.core.edit.propagate import propagate

    done = yield from propagate(images, mask, start, end)
    return Frames(done.masks, done.sentence, "carried from a frame")


def learn_and_draw(
    scan: Volume,
    masks: NDArray[Any],
    corrected: frozenset[int],
    sure: frozenset[int],
    model_name: str,
    device: str,
) -> Generator[Event, None, Frames]:
    """Adapt the model to corrected frames, and draw those that nobody touched."""
    from napari_microus.core.preload import import_torch

    yield Progress(0, 0, "steps", tr("Loading the model"))
    import_torch()
    from napari_microus.core.edit.teach import teach_and_draw
    from napari_microus.core.library import load_model

    model = load_model(model_name, device=device)
    drawn, taught = yield from teach_and_draw(
        model, scan, masks, corrected, anchors=sure, device=device
    )
    rest = [k for k in range(len(masks)) if k not in corrected]
    said = (
        f"Learnt from {len(taught.frames)} corrected frames in {taught.steps} steps "
        f"and drew {len(rest)} others again; Ctrl+Z undoes it."
    )
    found = {k: drawn[k] == 1 for k in rest}
    return Frames(found, said, "learnt from corrections", taught)


def probability_of(
    scan: Volume, frame: int, model_name: str
) -> Generator[Event, None, NDArray[Any]]:
    """Return the model's probability of the capsule in one frame (Y, X)."""
    return (yield from _probability(scan, (frame,), model_name))[frame]


def _probability(
    scan: Volume, frames: tuple[int, ...], model_name: str
) -> Generator[Event, None, NDArray[Any]]:
    """Return the model's probability (Z, Y, X), 0 in other frames."""
    from napari_microus.core.preload import import_torch

    yield Progress(0, 0, "frames", tr("Loading the model"))
    import_torch()
    from napari_microus.core.library import load_model
    from napari_microus.core.predict import predict

    model = load_model(model_name, device="auto")
    found = yield from predict(
        model, scan, frames=frames, device="auto", min_confidence=0.0
    )
    return found.probability.array
