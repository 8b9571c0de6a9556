"""Segment one scan of a batch, whatever becomes of it."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from napari_microus.core.batch.measuring import DONE, FAILED, measure, row_of
from napari_microus.core.batch.picture import write_picture
from napari_microus.core.batch.places import (
    mask_path,
    picture_path,
    probability_path,
)
from napari_microus.core.batch.resuming import (
    KEY,
    is_same,
    making,
    row_of_same,
    voxels_sha256,
)
from napari_microus.core.batch.scan import content_sha256
from napari_microus.core.errors import (
    CheckpointError,
    ConfigError,
    DeviceError,
    InputError,
    MicroUSError,
    OutputError,
)
from napari_microus.core.events import Event, Notice, Progress, relay
from napari_microus.core.io import sidecar_of, write_mask, write_volume

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from napari_microus.core.batch.scan import Scan
    from napari_microus.core.batch.settings import BatchSettings
    from napari_microus.core.library import LoadedModel

_log = logging.getLogger(__name__)

SKIPPED = "skipped"

_loaded: dict[Any, list[LoadedModel]] = {}


@dataclass(frozen=True)
class Outcome:
    """How a scan of a batch ended.

    Parameters
    ----------
    state : str
        "done", "skipped" (its mask was there) or "failed".
    row : dict
        Its row of ``measurements.csv``.
    ends_batch : str
        The error's class where every other scan would fail as well.
    """

    state: str
    row: dict[str, Any] = field(default_factory=dict)
    ends_batch: str = ""

    @property
    def reason(self) -> str:
        """Why it failed."""
        return str(self.row.get("reason", ""))


def segment_scan(
    settings: BatchSettings, scan: Scan
) -> Generator[Event, None, Outcome]:
    """Segment a scan, and write its mask, its provenance and its picture.

    Parameters
    ----------
    settings : BatchSettings
        What all scans share.
    scan : Scan
        One of them.

    Yields
    ------
    Event
        Those of `predict`. Closing the generator leaves nothing partial.

    Returns
    -------
    Outcome
        A scan that cannot be segmented is an outcome, no error.
    """
    begun = time.monotonic()
    if scan.fault:
        return failed(settings, scan, scan.fault)
    try:
        return (yield from _segment(settings, scan, begun))
    except (ConfigError, CheckpointError, OutputError) as error:
        return failed(settings, scan, error.plain, type(error).__name__)
    except MicroUSError as error:
        return failed(settings, scan, error.plain)
    # One scan must not end the others.
    except Exception as error:  # noqa: BLE001
        _log.debug("Segmenting %s failed.", scan.label, exc_info=error)
        return failed(settings, scan, _unexpected(error))


def failed(
    settings: BatchSettings, scan: Scan, reason: str, ends_batch: str = ""
) -> Outcome:
    """Return the outcome of a scan that could not be segmented."""
    words = scan.without_paths(reason)
    row = row_of(scan, settings, status=FAILED, reason=words)
    return Outcome(FAILED, row, ends_batch)


def _segment(
    settings: BatchSettings, scan: Scan, begun: float
) -> Generator[Event, None, Outcome]:
    yield Progress(0, 0, "frames", "Reading")
    digest = content_sha256(scan.files)
    made = making(scan, settings, digest)
    row = row_of_same(scan, settings, made)
    if row is not None:
        return Outcome(SKIPPED, row)
    mask = mask_path(settings.output, scan.name)
    present = _present(settings, scan)
    if present and not settings.overwrite and not is_same(scan, settings, made):
        raise InputError(
            f"A result must not replace one of another making; got {present[0].name}, "
            "which is of another scan, model or settings, or was changed by hand. "
            "Choose another folder, or overwrite it.",
            plain=(
                f"{present[0].name} is there already, of another scan, model or "
                "settings, or changed by hand. Choose another folder, or overwrite "
                "it."
            ),
        )
    volume = scan.read()
    # PyTorch is not needed before: not to list scans, skip them, or find damage.
    from napari_microus.core.predict.files import predict_and_report

    models = _models(settings)
    notices = [scan.without_paths(n) for n in volume.metadata.get("notices", ())]
    for notice in notices:
        yield Notice(notice)
    work = predict_and_report(
        models,
        volume,
        image=scan.label.rpartition("/")[2],
        device=settings.device,
        frames=settings.frames,
        **settings.predict,
    )

    def note(event: Event) -> None:
        notices.extend([event.message] if isinstance(event, Notice) else [])

    prediction, stated = yield from relay(work, note)
    row = row_of(
        scan,
        settings,
        digest=digest,
        status=DONE,
        device=_device(settings),
        **measure(volume, prediction),
    )
    row["notices"] = " ".join(notices)
    row["mask"] = mask.relative_to(settings.output).as_posix()
    row["seconds"] = round(time.monotonic() - begun, 2)
    stated[KEY] = {
        "making": made,
        "mask_sha256": voxels_sha256(prediction.mask),
        "measurements": row,
    }
    if settings.probability is not None:
        where = probability_path(settings.probability, scan.name)
        replaces = bool(present)
        write_volume(prediction.probability, where, replaces, provenance=stated)
    write_picture(picture_path(settings.output, scan.name), volume, prediction.mask)
    # Last: where the mask is, all is.
    write_mask(prediction.mask, mask, bool(present), provenance=stated)
    return Outcome(DONE, row)


def _present(settings: BatchSettings, scan: Scan) -> list[Path]:
    """Return the results of a scan that exist."""
    paths = [mask_path(settings.output, scan.name)]
    if settings.probability is not None:
        paths.append(probability_path(settings.probability, scan.name))
    both = [one for path in paths for one in (path, sidecar_of(path))]
    return [path for path in both if path.exists()]


def _models(settings: BatchSettings) -> list[LoadedModel]:
    """Return the models of a batch, which stay loaded from scan to scan."""
    key = settings.device, *((m.folder, m.weights_sha256) for m in settings.models)
    if key not in _loaded:
        _loaded.clear()
        try:
            _loaded[key] = settings.load_models()
        except DeviceError as error:  # no scan can be segmented without it
            raise ConfigError(str(error), plain=error.plain) from error
    return _loaded[key]


def _device(settings: BatchSettings) -> str:
    from napari_microus.core.device import choose_device

    return str(choose_device(settings.device))


def _unexpected(error: Exception) -> str:
    """Return what to say about an error that nobody foresaw.

    Words of libraries may quote a header's values; those of PyTorch do not.
    """
    kind = type(error).__name__
    words = f" ({error})" if isinstance(error, (RuntimeError, MemoryError)) else ""
    return (
        f"The program failed at this scan: {kind}{words}. Please report that, without "
        "the scan."
    )
