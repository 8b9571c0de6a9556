"""Where a run's training frames come from."""

from __future__ import annotations

from dataclasses import dataclass

from napari_microus.core.config.base import (
    CHANCE,
    COUNT,
    NOT_NEGATIVE,
    Bounds,
    Config,
    check_bounds,
    require,
)


@dataclass(frozen=True)
class DataConfig(Config):
    """Where the frames come from: a study, or phantoms made for the run.

    Attributes
    ----------
    study : str, optional
        Folder of a study; None trains on phantoms.
    fold : int, optional
        Which fold of a study split in k folds is held out for validation.
    phantom_frames : int
        Phantom frames to make when there is no study; made once and kept.
    phantom_val_cases, phantom_val_frames : int
        Phantom scans to validate on, of other seeds, and frames of each.
    phantom_seed : int
        Seed of the phantoms; the run's own seed does not change them.
    unlabelled : str, optional
        Folder of real frames without masks whose texture the training frames take.
    unlabelled_skip : tuple of str
        Beginnings of names of files in that folder to leave out, such as patients
        on whom the model will be measured.
    unlabelled_batch : int
        Unlabelled frames in each step that must be segmented alike before and after
        a change of contrast; 0 uses the unlabelled frames for their texture alone.
    consistency_weight : float
        Weight of that agreement in the loss.
    phantom_share : float
        Of a run on a study: part of the frames of an epoch that are phantoms
        instead, ``phantom_frames`` of which are made; 0 makes none.
    samples_per_epoch : int, optional
        Frames drawn in an epoch; None takes each frame once.
    val_frames_per_case : int, optional
        Frames of each validation case that are measured, evenly spread; None: all.
    channels : tuple of str
        Of volumes: names of the study's channels, in the network's order; none: those
        of its first case.
    spacing_mm : tuple of float, optional
        Of volumes: voxel size (slice, row, column) at which the network sees them;
        None keeps each volume's own.
    patches_per_case : int
        Of volumes: patches drawn from each in an epoch.
    foreground_share : float
        Of volumes: probability that a patch is drawn around a voxel of the target.
    overlap : float
        Of volumes: share of a window that the next one sees again.
    cache : str, optional
        Folder for prepared frames; None is the user's cache folder.
    """

    study: str | None = None
    fold: int | None = None
    phantom_frames: int = 8000
    phantom_val_cases: int = 8
    phantom_val_frames: int = 3
    phantom_seed: int = 1
    unlabelled: str | None = None
    unlabelled_skip: tuple[str, ...] = ()
    unlabelled_batch: int = 0
    consistency_weight: float = 0.1
    phantom_share: float = 0.0
    samples_per_epoch: int | None = None
    val_frames_per_case: int | None = None
    channels: tuple[str, ...] = ()
    spacing_mm: tuple[float, float, float] | None = None
    patches_per_case: int = 4
    foreground_share: float = 0.5
    overlap: float = 0.25
    cache: str | None = None

    def __post_init__(self) -> None:
        for name in ("phantom_frames", "phantom_val_cases", "phantom_val_frames"):
            count = getattr(self, name)
            require(count >= 1, f"{name} must be at least 1", count, "Raise it.")
        for name in ("samples_per_epoch", "val_frames_per_case"):
            count = getattr(self, name)
            ok = count is None or count >= 1
            require(ok, f"{name} must be at least 1 or null", count, "Raise it.")
        share = self.phantom_share
        ok = 0 <= share < 1
        require(ok, "phantom_share must be at least 0 and below 1", share, "Use 0.2.")
        for name in ("unlabelled_batch", "consistency_weight"):
            value = getattr(self, name)
            require(value >= 0, f"{name} must not be negative", value, "Use 0.")
        object.__setattr__(self, "channels", tuple(self.channels))
        once = len(set(self.channels)) == len(self.channels)
        require(once, "channels must be named once", self.channels, "Drop one.")
        check_bounds(
            self,
            {
                "fold": Bounds(0, 999),
                "phantom_frames": COUNT,
                "phantom_val_cases": COUNT,
                "phantom_val_frames": COUNT,
                "phantom_seed": NOT_NEGATIVE,
                "unlabelled_batch": Bounds(0, 4096),
                "consistency_weight": Bounds(0, 1000),
                "phantom_share": Bounds(0, 1, is_high_open=True),
                "samples_per_epoch": COUNT,
                "val_frames_per_case": COUNT,
                "spacing_mm": Bounds(0, 100, is_low_open=True),
                "patches_per_case": Bounds(1, 10000),
                "foreground_share": CHANCE,
                "overlap": Bounds(0, 1, is_high_open=True),
            },
        )
