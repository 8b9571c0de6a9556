"""What the package index shows: README.md, whose links lead to the repository.

A package index has no files beside the page; hatchling runs this as it builds. The
address is that of ``[project.urls]``, which is to change with it alone.
"""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

TARGET = re.compile(r"(!\[[^\]]*\]|\])\((?!https?://|#|mailto:)([^)\s]+)\)")


def absolute(text: str, source: str) -> str:
    """Return a page's text with pictures and links of the repository at ``source``."""

    def lead(match: re.Match[str]) -> str:
        before, path = match.groups()
        how = "raw" if before.startswith("!") else "blob"
        return f"{before}({source}/{how}/main/{path})"

    return TARGET.sub(lead, text)


class LongDescription(MetadataHookInterface):
    """Fills in ``readme``, which pyproject.toml calls dynamic."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Read README.md; hatchling's name."""
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": absolute(text, metadata["urls"]["Source"]),
        }
