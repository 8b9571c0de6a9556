"""Whether a study's cases are of the kind that a network learns from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_microus.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_microus.core.study.table import StudyCase

#: What to do where there is none to learn volumes from.
NO_STUDY = (
    "Volumes are learnt from a study. Import a folder as PI-CAI or BraTS has it, such "
    "as simulated examinations (napari-microus phantom --lesions)."
)


def check_kind(cases: Sequence[StudyCase], channels: int | None) -> None:
    """Refuse volumes of several channels for a network of frames, and the reverse.

    Parameters
    ----------
    cases : sequence of StudyCase
        What would be learnt from.
    channels : int or None
        How many channels the network's volumes have; None for a network of frames.

    Raises
    ------
    InputError
        If they are of the other kind.
    """
    several = next((case for case in cases if len(case.channels) > 1), None)
    if channels is None and several is not None:
        raise InputError(
            "Training on frames takes scans of one channel; got "
            f"{', '.join(several.channels)} for '{several.case}'. Choose a preset for "
            "volumes, such as picai.",
            plain=f"This study holds volumes of {', '.join(several.channels)}. Choose "
            "a preset for volumes, such as picai or lesion-small.",
        )
    if channels is not None and channels > 1 and several is None:
        raise InputError(
            f"Training on volumes of {channels} channels takes cases of that many; got "
            "one image a case. Choose a preset for frames, such as fine-tune.",
            plain=f"This study holds one image a case, and the preset is for volumes "
            f"of {channels} channels. Choose one for frames, such as fine-tune.",
        )
