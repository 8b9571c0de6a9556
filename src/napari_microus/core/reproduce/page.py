"""A page of headings, words, tables and pictures, as Markdown and as one HTML file."""

from __future__ import annotations

import base64
import html
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Heading:
    """A heading; level 1 is the page's own."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Words:
    """A paragraph; ``code`` and **bold** are marked as in Markdown."""

    text: str


@dataclass(frozen=True)
class Points:
    """A list."""

    texts: Sequence[str]


@dataclass(frozen=True)
class Grid:
    """A table of texts."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Picture:
    """A picture that lies beside the page, and what it shows."""

    file: str
    caption: str


Block: TypeAlias = Heading | Words | Points | Grid | Picture


def to_markdown(blocks: Sequence[Block]) -> str:
    """Return the page in Markdown; pictures are named."""
    return "\n\n".join(_markdown(block) for block in blocks) + "\n"


def to_html(blocks: Sequence[Block], folder: Path) -> str:
    """Return the page as HTML that needs nothing beside it.

    Parameters
    ----------
    blocks : sequence of Block
        The page.
    folder : Path
        Where its pictures lie; they are taken in.
    """
    title = next((b.text for b in blocks if isinstance(b, Heading)), "")
    body = "\n".join(_html(block, folder) for block in blocks)
    return _PAGE.format(title=html.escape(title), body=body)


def _markdown(block: Block) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {block.text}"
    if isinstance(block, Words):
        return block.text
    if isinstance(block, Points):
        return "\n".join(f"- {text}" for text in block.texts)
    if isinstance(block, Picture):
        return f"![{block.caption}]({block.file})"
    lines = [block.head, ["---"] * len(block.head), *block.rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _html(block: Block, folder: Path) -> str:
    if isinstance(block, Heading):
        return f"<h{block.level}>{_marked(block.text)}</h{block.level}>"
    if isinstance(block, Words):
        return f"<p>{_marked(block.text)}</p>"
    if isinstance(block, Points):
        items = "".join(f"<li>{_marked(text)}</li>" for text in block.texts)
        return f"<ul>{items}</ul>"
    if isinstance(block, Picture):
        stored = base64.b64encode((folder / block.file).read_bytes()).decode()
        caption = html.escape(block.caption)
        return (
            f'<figure><img alt="{caption}" src="data:image/png;base64,{stored}">'
            f"<figcaption>{caption}</figcaption></figure>"
        )
    head = "".join(f"<th>{_marked(cell)}</th>" for cell in block.head)
    rows = "\n".join(
        f"<tr>{''.join(f'<td>{_marked(cell)}</td>' for cell in row)}</tr>"
        for row in block.rows
    )
    return (
        f'<div class="table"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _marked(text: str) -> str:
    text = html.escape(text)
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
    return re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", text)


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; \
img-src data:; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; \
color: #1d2630; background: #fff; max-width: 80rem; margin: 1.5rem auto; \
padding: 0 1.25rem; font-variant-numeric: tabular-nums; }}
h1 {{ font-size: 1.5rem; line-height: 1.25; border-bottom: 3px solid #0b5a8a; \
padding-bottom: .5rem; }}
h2 {{ font-size: 1.15rem; margin-top: 2rem; color: #0b5a8a; }}
p, li {{ max-width: 50rem; }}
.table {{ overflow-x: auto; margin: 1rem 0; }}
table {{ border-collapse: collapse; font-size: .85rem; }}
th, td {{ padding: .3rem .45rem; border-bottom: 1px solid #d3dae0; text-align: right; \
white-space: nowrap; }}
th {{ background: #f3f6f8; vertical-align: bottom; white-space: normal; }}
th:first-child, td:first-child {{ text-align: left; }}
code {{ background: #f3f6f8; padding: 0 .25em; overflow-wrap: anywhere; }}
figure {{ margin: 1rem 0; }}
img {{ max-width: 100%; }}
figcaption {{ font-size: .85rem; color: #4f5b67; max-width: 50rem; }}
@media print {{ h2 {{ break-after: avoid; }} figure {{ break-inside: avoid; }} }}
</style>
</head>
<body>
{body}
</body>
</html>
"""
