"""The README as a package index shows it: no link leads to a file beside it."""

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

pytest.importorskip("hatchling")
ROOT = Path(__file__).parents[1]
_spec = importlib.util.spec_from_file_location(
    "long_description", ROOT / ".ci" / "long_description.py"
)
long_description = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(long_description)
HERE = "https://example.org/a/b"


def test_pictures_and_links_lead_to_the_repository():
    text = "![a film](docs/a.webp) [![b](https://x/y.svg)](LICENSE) [c](#d) [e](f.md#g)"
    assert long_description.absolute(text, HERE) == (
        f"![a film]({HERE}/raw/main/docs/a.webp) "
        f"[![b](https://x/y.svg)]({HERE}/blob/main/LICENSE) [c](#d) "
        f"[e]({HERE}/blob/main/f.md#g)"
    )


def test_the_readme_keeps_no_link_to_a_file_and_each_was_there():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    source = project["project"]["urls"]["Source"]
    shown = long_description.absolute(text, source)
    targets = re.findall(r"\]\(([^)]+)\)", shown)
    assert [one for one in targets if not one.startswith("https://")] == []
    paths = re.findall(rf"{source}/(?:blob|raw)/main/([^)#]+)", shown)
    assert len(paths) > 10
    assert [path for path in paths if not (ROOT / path).exists()] == []
