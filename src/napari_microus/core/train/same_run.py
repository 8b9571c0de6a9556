"""Whether a run is the one that settings, data and code ask for now."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from napari_microus.core.config.train import TrainConfig
from napari_microus.core.errors import InputError
from napari_microus.core.train.fingerprint import Fingerprint, flat

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_ROLES = {"train": "learnt from", "val": "validated on"}
_SOURCE_WORDS = {
    "phantoms": "the code that makes phantoms",
    "unlabelled": "the unlabelled frames",
    "start": "the start model's weights",
    "encoder_weights": "the encoder's first weights",
}


# What a run needs at its start alone.
_AT_START = ("start", "encoder_weights")


def differences(now: Fingerprint, then: Fingerprint) -> list[str]:
    """Return in words how settings, data and split differ from an earlier run's."""
    said = []
    defaults = flat(TrainConfig().to_dict())
    for name in sorted(now.settings.keys() | then.settings.keys()):
        # A setting that came with a later version had its default until then.
        values = [side.settings.get(name, defaults.get(name)) for side in (now, then)]
        if values[0] != values[1]:
            said.append(f"{name} is {values[0]} and was {values[1]}")
    for name in sorted(now.cases.keys() | then.cases.keys()):
        said += _case_difference(name, now.cases.get(name), then.cases.get(name))
    for name in sorted(now.sources.keys() | then.sources.keys()):
        if now.sources.get(name) != then.sources.get(name):
            said.append(f"{_SOURCE_WORDS[name]} changed")
    return said


def code_differences(now: Fingerprint, then: Fingerprint) -> list[str]:
    """Return in words how the code differs from that of an earlier run."""
    said = []
    for code in (then.code, *then.continued):
        for name in sorted(now.code.keys() | code.keys()):
            found, kept = now.code.get(name), code.get(name)
            if found != kept and name == "source":
                said.append("its source changed")
            elif found != kept and name.endswith("'s source"):
                said.append(f"{name} changed")
            elif found != kept:
                said.append(f"{name} is {found} and was {kept}")
    return list(dict.fromkeys(said))


def listed(said: list[str], most: int = 3) -> str:
    """Return the first differences, and how many more there are."""
    more = f" and {len(said) - most} more" if len(said) > most else ""
    return f"{'; '.join(said[:most])}{more}"


def check_resumed(
    run: Path, begun_as: str, now: Fingerprint, *, unchecked: bool
) -> Fingerprint:
    """Return the fingerprint of a run that continues, if it is what was begun.

    Parameters
    ----------
    run : Path
        Its folder.
    begun_as : str
        The digest in its checkpoint.
    now : Fingerprint
        Of the settings and data as they are now.
    unchecked : bool
        Continue with other code too, or where the run carries no fingerprint; settings
        and data must be the same in any case.

    Raises
    ------
    InputError
        If they are not; the differences are named.
    """
    then = Fingerprint.read(run)
    if then is None or then.digest != begun_as:
        if not unchecked:
            raise InputError(
                "A run to continue must carry the fingerprint of what it began with; "
                f"got none in {run}. Start a new run, or continue without that check "
                "(--unchecked).",
                plain=(
                    f"Nobody knows what the run in {run} began with: its "
                    "fingerprint is missing. Start a new run, or continue without "
                    "that check (--unchecked)."
                ),
            )
        return dataclasses.replace(now, continued=({"source": "unknown"},))
    kept = {name: then.sources[name] for name in _AT_START if name in then.sources}
    now = dataclasses.replace(now, sources=now.sources | kept)
    said = differences(now, then)
    if said:
        raise InputError(
            "A run must continue with the settings and data it began with; got other "
            f"ones: {listed(said)}. Put that back, or start a new run.",
            plain=(
                "The settings or data are not those that the run began with: "
                f"{listed(said)}. Put that back, or start a new run."
            ),
        )
    others = code_differences(now, then)
    if not others:
        return then
    if not unchecked:
        raise InputError(
            f"A run must continue with the code it began with; got another: "
            f"{listed(others)}. Install that version, start a new run, or continue "
            "without that check (--unchecked).",
            plain=(
                "This is not the code that the run began with: "
                f"{listed(others)}. Install that version, start a new run, or "
                "continue without that check (--unchecked)."
            ),
        )
    return dataclasses.replace(then, continued=(*then.continued, now.code))


def check_reused(run: Path, wanted: Fingerprint, *, unchecked: bool) -> None:
    """Refuse a run that is in the way of the one that was asked for.

    Raises
    ------
    InputError
        If its settings, data, split or code are others, or it carries no fingerprint.
    """
    there = Fingerprint.read(run)
    if there is None:
        if unchecked:
            return
        raise InputError(
            f"A run that is used again must carry a fingerprint; got none in {run}. "
            "Choose another output folder, or remove that run.",
            plain=(
                f"Nobody knows what the run in {run} was trained on: its "
                "fingerprint is missing. Choose another output folder, or "
                "remove that run."
            ),
        )
    said = differences(wanted, there)
    if said:
        raise InputError(
            f"A run must be of the settings and data asked for to be used again; got "
            f"others in {run}: {listed(said)}. Choose another output folder, or ask "
            "for what was trained.",
            plain=(
                f"The run in {run} is of other settings or data: "
                f"{listed(said)}. Choose another output folder, or ask for "
                "what was trained."
            ),
        )
    others = code_differences(wanted, there)
    if others and not unchecked:
        raise InputError(
            f"A run must be of this code to be used again; got another in {run}: "
            f"{listed(others)}. Choose another output folder, or take it all the same "
            "(--unchecked).",
            plain=(
                f"The run in {run} was trained by other code: "
                f"{listed(others)}. Choose another output folder, or take it "
                "all the same (--unchecked)."
            ),
        )


def _case_difference(
    name: str, now: Mapping[str, str] | None, then: Mapping[str, str] | None
) -> list[str]:
    if now is None or then is None:
        case = now or then
        assert case is not None  # the name is of one of them
        verb, was = ("is", "was not") if then is None else ("is no longer", "was")
        role = _ROLES[case["part"]]
        return [f"case {name} {verb} {role}" + (f" and {was}" if then is None else "")]
    said = []
    if now["part"] != then["part"]:
        said.append(
            f"case {name} is {_ROLES[now['part']]} and was {_ROLES[then['part']]}"
        )
    words = {"image": "image", "expert": "expert mask", "nonexpert": "non-expert mask"}
    words["pixel"] = "pixel size"
    keys = dict.fromkeys([*words, *now, *then])
    changed = [
        words.get(key, key)
        for key in keys
        if key != "part" and now.get(key) != then.get(key)
    ]
    return said + [f"the {word} of case {name} changed" for word in changed]
