"""Draw docs/images/architecture.svg: who stands on what, from pyproject.toml itself.

Usage: python docs/scripts/architecture.py
"""

import tomllib
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WIDTH, ROW, LEFT, CORE = 900, 34, 20, 860
DOORS = (
    ("napari", "docks: segment, correct, compare, train, batch", "#80d1ff"),
    ("command line", "one file a command; the same in a child process", "#c9c9f5"),
    ("3D Slicer", "MicroUSLib: scene, segment, compare, train", "#ffd08a"),
)


def layers():
    """Return the layers of the core, top first, as import-linter checks them."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    found = next(c for c in contracts if c["type"] == "layers")
    return [
        layer.replace(" | ", " · ").replace(" : ", " · ") for layer in found["layers"]
    ]


def box(x, y, width, height, fill, title, words=""):
    middle = x + width / 2
    parts = [
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" '
        f'fill="{fill}" stroke="#333"/>'
    ]
    at = y + height / 2 + (5 if not words else -4)
    weight = ' font-weight="bold"' if words else ""
    parts.append(f'<text x="{middle}" y="{at}"{weight}>{escape(title)}</text>')
    if words:
        parts.append(
            f'<text x="{middle}" y="{at + 18}" font-size="11">{escape(words)}</text>'
        )
    return parts


def draw():
    rows = layers()
    height = 150 + len(rows) * ROW + 90
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="13" text-anchor="middle" role="img" '
        'aria-label="Architecture of napari-microus">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
    ]
    door = (CORE - 40) / 3
    for number, (title, words, fill) in enumerate(DOORS):
        x = LEFT + number * (door + 20)
        parts += box(x, 20, door, 56, fill, title, words)
        middle = x + door / 2
        parts.append(
            f'<path d="M{middle} 76 V104 m-5 -8 l5 8 l5 -8" fill="none" stroke="#333"/>'
        )
    top = 106
    parts.append(
        f'<rect x="{LEFT}" y="{top}" width="{CORE}" height="{len(rows) * ROW + 36}" '
        'rx="8" fill="#eef6f4" stroke="#00695c" stroke-width="2"/>'
    )
    parts.append(
        f'<text x="{WIDTH / 2}" y="{top + 20}">core: all algorithms; no Qt, no napari, '
        "no Slicer. A row imports from rows below it only.</text>"
    )
    for number, row in enumerate(rows):
        y = top + 30 + number * ROW
        parts += box(LEFT + 12, y, CORE - 24, ROW - 6, "white", row)
    y = top + len(rows) * ROW + 50
    parts += box(
        *(LEFT, y, CORE, 44, "#f3f3f3"),
        "files of others: DICOM, NIfTI, NRRD, pictures; models as safetensors",
        "long work yields events: drained in a thread, or printed as JSON lines",
    )
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    target = ROOT / "docs" / "images" / "architecture.svg"
    target.write_text(draw(), encoding="utf-8")
    print(target)
