"""Which of the scans that are open is which channel, by their names."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from napari_microus.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_Scan = TypeVar("_Scan")


def guess_channels(
    names: Sequence[str], titles: Sequence[str], chosen: Mapping[str, int] | None = None
) -> dict[str, int]:
    """Return the place among ``titles`` of each channel that is found there.

    A title is offered to one channel: the longest name that it ends with, else the
    longest that it holds, in whatever case. Of several titles those that end with the
    name come first, and among them one that is otherwise called as the first
    channel's is (``p2_adc`` beside ``p2_t2w``). No title is taken twice.

    Parameters
    ----------
    names : sequence of str
        Channels, in the model's order.
    titles : sequence of str
        What layers, nodes or files are called.
    chosen : mapping of str to int, optional
        Places that somebody has chosen; they stay.
    """
    found = {name: place for name, place in (chosen or {}).items() if name in names}
    taken = set(found.values())
    kin = ""
    for name in names:
        if name not in found:
            ranks = {
                place: rank
                for place, title in enumerate(titles)
                if place not in taken and (rank := _rank(name, title, names, kin))
            }
            if not ranks:
                continue
            found[name] = max(ranks, key=lambda place: (ranks[place], -place))
            taken.add(found[name])
        kin = kin or _without(name, titles[found[name]])
    return {name: found[name] for name in names if name in found}


def _rank(name: str, title: str, names: Sequence[str], kin: str) -> int:
    """Return how well a title fits a channel, 0 where it does not."""
    lower = title.lower()
    ends = [one for one in names if lower.endswith(one.lower())]
    holds = ends or [one for one in names if one.lower() in lower]
    if not holds or max(holds, key=len) != name:
        return 0
    is_kin = bool(kin) and _without(name, title) == kin
    return 1 + 2 * bool(ends) + is_kin


def _without(name: str, title: str) -> str:
    return title.lower().replace(name.lower(), "")


def require_own(
    chosen: Mapping[str, _Scan | None], title: Callable[[_Scan], str]
) -> dict[str, _Scan]:
    """Return what was chosen for each channel, and see that it is complete.

    Parameters
    ----------
    chosen : mapping
        A scan of any kind, or None, by channel.
    title : callable
        Gives what a scan is called.

    Raises
    ------
    InputError
        If a channel has none, or two have the same.
    """
    found: dict[str, _Scan] = {}
    for name, scan in chosen.items():
        if scan is None:
            raise InputError(
                f"Each channel must have a scan; got none for '{name}'. Open it.",
                plain=f"No image is chosen for {name}. Open its scan, and choose it.",
            )
        twice = [other for other, taken in found.items() if taken is scan]
        if twice:
            raise InputError(
                f"Each channel must have a scan of its own; got '{title(scan)}' for "
                f"'{twice[0]}' and '{name}'. Choose another.",
                plain=f"'{title(scan)}' is chosen for both {twice[0]} and {name}. "
                "Choose another image for one of them.",
            )
        found[name] = scan
    return found
