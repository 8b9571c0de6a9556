"""Save and restore everything on which the rest of a run depends."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import torch

from napari_microus.core.errors import BROKEN_FILE, CheckpointError, OutputError
from napari_microus.core.files import PatientFile, atomic_write, reason

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORMAT = 1


@dataclass
class TrainingState:
    """Where a run is, and what it has seen so far.

    ``batch`` counts the steps made in ``epoch``; once it reaches the steps of an
    epoch, that epoch still waits for its validation. ``learning_rate`` is that of
    the last step. ``run_id`` sets this run apart from all others, however often it was
    resumed; ``fingerprint`` is the digest of what it learns from, and how.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    learning_rate: float = 0.0
    loss_sum: float = 0.0
    seconds: float = 0.0
    micro_batch: int = 0
    best_dice: float = -1.0
    best_epoch: int = -1
    history: list[dict[str, Any]] = field(default_factory=list)
    run_id: str = field(default_factory=lambda: uuid4().hex)
    fingerprint: str = ""


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write ``state`` beside ``path`` and rename it, so that one is always whole.

    Raises
    ------
    OutputError
        If the disk is full or the folder is gone; the former checkpoint stays.
    """
    try:
        with (
            atomic_write(path, overwrite=True) as temporary,
            PatientFile(temporary) as file,
            _without_sums(),
        ):
            torch.save({"format": FORMAT, **state}, file)  # type: ignore[arg-type]
    except OutputError as error:
        raise OutputError(
            f"The run folder must have room for a checkpoint; got {path.parent} "
            f"({reason(error)}). Free some space and resume the run.",
            plain=(
                f"A checkpoint cannot be written into {path.parent} "
                f"({reason(error)}). Free some space and resume the run."
            ),
        ) from error


@contextlib.contextmanager
def _without_sums() -> Iterator[None]:
    """Spare the checksums: half the time of writing, and no reader of ours asks."""
    if not hasattr(torch.serialization, "set_crc32_options"):  # before PyTorch 2.6
        yield
        return
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        yield
    finally:
        torch.serialization.set_crc32_options(before)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Return the state in ``path``, unpickling nothing but plain data.

    Raises
    ------
    CheckpointError
        If the file is missing, broken, or of another version.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(
            f"A run can be resumed from its checkpoint only; got no {path}. "
            "It ended before the first one: start it again.",
            plain="The run ended before its first checkpoint. Start it again.",
        ) from error
    except BROKEN_FILE as error:
        raise CheckpointError(
            f"The checkpoint must be whole; got {path} ({type(error).__name__}). "
            "Start a new run from the run's best model.",
            plain=(
                f"The checkpoint {path} is damaged. Start a new run from the run's "
                "best model."
            ),
        ) from error
    found = state.get("format") if isinstance(state, dict) else None
    if found != FORMAT:
        raise CheckpointError(
            f"The checkpoint must have format {FORMAT}; got {found} in {path}. "
            "Resume with the version of napari-microus that began the run.",
            plain=(
                f"{path} was saved by another version of napari-microus "
                f"(format {found} instead of {FORMAT}). Resume with the "
                "version that began the run."
            ),
        )
    return dict(state)


def rng_state() -> dict[str, Any]:
    """Return the state of PyTorch's generators; all others are seeded per sample."""
    state: dict[str, Any] = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def restore_rng(state: dict[str, Any]) -> None:
    """Put PyTorch's generators back where they were."""
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])


def load_weights(
    network: torch.nn.Module, weights: dict[str, torch.Tensor], path: Path
) -> None:
    """Put ``weights`` into ``network``, naming the first key that does not fit.

    Raises
    ------
    CheckpointError
        If the checkpoint is of another architecture.
    """
    own = network.state_dict()
    missing = [key for key in own if key not in weights]
    foreign = [key for key in weights if key not in own]
    shapes = [k for k in own if k in weights and own[k].shape != weights[k].shape]
    for kind, keys in (("lacks", missing), ("adds", foreign), ("reshapes", shapes)):
        if keys:
            raise CheckpointError(
                f"The checkpoint must fit the network; got {path}, which {kind} "
                f"{keys[0]}. Use the configuration it was made with.",
                plain=(
                    f"{path} belongs to another network: it {kind} {keys[0]}. Use "
                    "the configuration it was made with."
                ),
            )
    network.load_state_dict(weights)
