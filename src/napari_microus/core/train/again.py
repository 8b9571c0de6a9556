"""Train, unless the very run is there already."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_microus.core.events import Notice
from napari_microus.core.runs.folder import read_status
from napari_microus.core.train.engine import resume, train
from napari_microus.core.train.fingerprint import take_fingerprint
from napari_microus.core.train.same_run import check_reused
from napari_microus.core.train.start import resolved

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_microus.core.config.train import TrainConfig
    from napari_microus.core.events import Event
    from napari_microus.core.train.fingerprint import Fingerprint
    from napari_microus.core.train.finish import TrainResult


def train_or_keep(
    config: TrainConfig, wanted: Fingerprint | None = None, *, unchecked: bool = False
) -> Generator[Event, None, TrainResult | None]:
    """Train, continue with a run that was stopped, or keep one that is finished.

    Parameters
    ----------
    config : TrainConfig
        ``output`` is the run's folder.
    wanted : Fingerprint, optional
        Of these settings, where it has been taken already.
    unchecked : bool
        Take a run of other code too, or without a fingerprint.

    Returns
    -------
    TrainResult or None
        None where the run was kept.

    Raises
    ------
    InputError
        If the run there is of other settings, data or code.
    MicroUSError
        As `train`.
    """
    run = Path(config.output)
    if not (run / "config.yaml").exists():
        return (yield from train(config))
    if wanted is None:
        wanted = yield from take_fingerprint(resolved(config))
    check_reused(run, wanted, unchecked=unchecked)
    if read_status(run).state == "finished":
        yield Notice(f"{run.name} is finished and was kept.")
        return None
    return (yield from resume(run, unchecked=unchecked))
