"""Segment one scan of a file into another file, with its provenance beside it."""

from __future__ import annotations

from os.path import exists
from typing import TYPE_CHECKING, Any

from napari_microus.core.errors import ConfigError, OutputError
from napari_microus.core.events import Event, Notice
from napari_microus.core.files import check_place
from napari_microus.core.io import (
    WRITABLE,
    sidecar_of,
    suffix_of,
    write_mask,
    write_volume,
)
from napari_microus.core.predict import confidence
from napari_microus.core.predict.run import predict
from napari_microus.core.provenance import segmentation_provenance
from napari_microus.core.volumetry import mask_volume

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from napari_microus.core.library import LoadedModel
    from napari_microus.core.predict.result import Prediction
    from napari_microus.core.volume import Volume

# No scan has as many; a slip of the finger would fill the memory.
_MOST_FRAMES = 100_000


def segment_into(
    models: Sequence[LoadedModel],
    volume: Volume,
    mask: Path,
    *,
    image: str,
    probability: Path | None = None,
    device: str = "auto",
    frames: Sequence[int] | None = None,
    overwrite: bool = False,
    **settings: Any,
) -> Generator[Event, None, dict[str, Any]]:
    """Segment a scan and write its mask with a JSON sidecar.

    Parameters
    ----------
    models, volume, device, frames, **settings
        As for `predict`.
    mask : Path
        File of the mask.
    image : str
        What the provenance calls the scan.
    probability : Path, optional
        File of the probability map.
    overwrite : bool
        Replace results that exist.

    Returns
    -------
    dict
        ``mask``, ``frames``, ``pixels``, ``look_first`` (frames of low confidence),
        ``probability`` where it was asked for and, where the scan's geometry gives a
        volume, ``volume_ml`` and ``volume_method``.

    Raises
    ------
    OutputError
        If a file cannot be written; see `predict` for others.
    """
    for notice in volume.metadata.get("notices", ()):
        yield Notice(f"{image}: {notice}")
    prediction, made = yield from predict_and_report(
        models, volume, image=image, device=device, frames=frames, **settings
    )
    drawn = prediction.mask
    result = {
        "mask": str(mask),
        "frames": len(prediction.frames),
        "pixels": int(drawn.array.sum()),
        "look_first": made["confidence"]["look_first"],
    }
    size = mask_volume(drawn)
    if size.ml is not None:
        result |= {"volume_ml": round(size.ml, 3), "volume_method": size.method}
    write_mask(drawn, mask, overwrite, provenance=made)
    if probability is not None:
        write_volume(prediction.probability, probability, overwrite, provenance=made)
        result["probability"] = str(probability)
    return result


def predict_and_report(
    models: Sequence[LoadedModel],
    volume: Volume,
    *,
    image: str,
    device: str = "auto",
    frames: Sequence[int] | None = None,
    **settings: Any,
) -> Generator[Event, None, tuple[Prediction, dict[str, Any]]]:
    """Segment a scan, and return with the prediction how it came about.

    The second is that of `segmentation_provenance`, with the confidence of frames.
    """
    work = predict(list(models), volume, device=device, frames=frames, **settings)
    prediction = yield from work
    made = segmentation_provenance(
        models, image=image, frames=frames, device=device, settings=settings
    )
    made["confidence"] = confidence.to_provenance(prediction)
    return prediction, made


def check_outputs(
    sources: Sequence[Path], outputs: Sequence[Path | None], *, overwrite: bool = False
) -> None:
    """See that results can be written, before any work.

    Parameters
    ----------
    sources : sequence of Path
        Files of the scan.
    outputs : sequence of Path or None
        Files of the results.
    overwrite : bool
        Allow results that exist.

    Raises
    ------
    OutputError
        If an output exists, is the input or another output, or lies where nobody may
        write.
    """
    taken = {path.resolve() for path in sources}
    for output in filter(None, outputs):
        where = output.resolve()
        if suffix_of(output) not in WRITABLE:
            raise OutputError(
                f"The output must end in one of {', '.join(WRITABLE)}; got {output}. "
                "Rename it.",
                plain=(
                    f"What kind of file {output} is to be is not clear from its "
                    f"name. End it in one of {', '.join(WRITABLE)}."
                ),
            )
        if where in taken:
            raise OutputError(
                f"The output must not be a scan itself, nor another output; got "
                f"{output}. Choose another name.",
                plain=(
                    f"{output} is a scan itself, or another result of this run. "
                    "Choose another name."
                ),
            )
        taken.add(where)
        if not overwrite:
            for present in (output, sidecar_of(output)):
                if exists(present):
                    raise OutputError(
                        f"{present} already exists. "
                        "Choose another name, or overwrite it."
                    )
        check_place(output)


def parse_frames(text: str) -> list[int]:
    """Return the frames in words such as ``"0-9,12"``.

    Raises
    ------
    ConfigError
        If the words are no numbers and ranges.
    """
    frames: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise ConfigError(
                f"Frames must be numbers and ranges such as 0-9,12; got '{text}'. "
                "Count them from 0.",
                plain=(
                    f"'{text}' names no frames. Write numbers and ranges such as "
                    "0-9,12, counted from 0."
                ),
            )
        span = range(int(first), int(last if dash else first) + 1)
        if not span:
            raise ConfigError(
                f"A range of frames must not run backwards; got '{part.strip()}'. "
                "Turn it round.",
                plain=f"The range '{part.strip()}' runs backwards. Turn it round.",
            )
        if len(span) > _MOST_FRAMES:
            raise ConfigError(
                f"A range must hold {_MOST_FRAMES:,} frames at most; got "
                f"'{part.strip()}'. Name frames of the scan.",
                plain=(
                    f"The range '{part.strip()}' is too long. Name frames of the scan."
                ),
            )
        frames += span
    return frames
