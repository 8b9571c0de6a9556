"""Print the version of each package that the installed project draws in.

Read from what is installed, so it is what the suite was run with:

    python .ci/lock.py all test > locked.txt
"""

from __future__ import annotations

import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = "# Written by `make lock`: what the suite was last run with, to a digit."


PROJECT = Path(__file__).parents[1] / "pyproject.toml"


def drawn_in(extras: list[str]) -> dict[str, str]:
    """Return name and version of all that the project needs with its ``extras``."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    lines = project["dependencies"]
    for extra in extras:
        lines = lines + project["optional-dependencies"][extra]
    found: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    queue = list(_needed(lines, ""))
    while queue:
        name, extra = queue.pop()
        if (name, extra) not in seen:
            seen.add((name, extra))
            package = distribution(name)
            found[name] = package.version.partition("+")[0]  # +cpu names the build
            queue += _needed(package.requires or [], extra)
    return found


def _needed(lines: list[str], extra: str) -> Iterator[tuple[str, str]]:
    """Give name and extra of each requirement that holds here."""
    for needed in map(Requirement, lines):
        if needed.marker is None or needed.marker.evaluate({"extra": extra}):
            for one in ("", *needed.extras):
                yield canonicalize_name(needed.name), one


if __name__ == "__main__":
    print(HEAD)
    for name, version in sorted(drawn_in(sys.argv[1:]).items()):
        print(f"{name}=={version}")
