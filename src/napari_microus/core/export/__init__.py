"""Write results in the forms that the clinic and other programs take.

`KINDS` lists them: one line a form, with the function that writes it. All writers have
one signature, ``write(mask, scan, output, *, provenance, overwrite, **options)``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from inspect import isgenerator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.events import Event, Progress, drain
from napari_microus.core.mask import as_mask
from napari_microus.core.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

__all__ = ["KINDS", "Kind", "export", "exporting", "kind_of"]


@dataclass(frozen=True)
class Kind:
    """One form of a result.

    Parameters
    ----------
    name : str
        As a person asks for it, such as "dicom-seg".
    what : str
        In words, with an article.
    suffixes : tuple of str
        Endings of its files in lower case. The first kind of an ending is the one that
        is written where none is named.
    writer : str
        Module below this package and function, as "dicom_seg:write_dicom_seg"; it is
        imported when it is needed.
    needs_scan : bool
        Whether the scan must be given.
    options : frozenset of str
        Names of the writer's own keyword arguments.
    """

    name: str
    what: str
    suffixes: tuple[str, ...]
    writer: str
    needs_scan: bool = True
    options: frozenset[str] = frozenset()


_DICOM = frozenset({"drawn", "deidentified", "key", "renamed"})

KINDS = (
    Kind(
        "dicom-seg",
        "a DICOM Segmentation",
        (".dcm",),
        "dicom_seg:write_dicom_seg",
        options=_DICOM,
    ),
    Kind(
        "rtstruct",
        "a DICOM RT Structure Set",
        (".dcm",),
        "rt_structures:write_rt_structures",
        options=_DICOM,
    ),
    Kind(
        "surface",
        "a closed surface",
        (".stl", ".obj", ".ply"),
        "forms:surface",
        needs_scan=False,
    ),
    Kind("contours", "contours", (".csv", ".json"), "forms:contours", needs_scan=False),
    Kind("film", "a film", (".gif", ".mp4"), "forms:film"),
    Kind("pictures", "a folder of pictures", ("",), "forms:pictures"),
)


def kind_of(output: str | Path, name: str | None = None) -> Kind:
    """Return the form to write, by its name or by the ending of the output.

    Raises
    ------
    OutputError
        If no form has that ending, or the named one has another.
    InputError
        If there is no form of that name.
    """
    suffix = Path(output).suffix.lower()
    if name is None:
        found = next((kind for kind in KINDS if suffix in kind.suffixes), None)
        if found is None:
            known = sorted(
                {ending for kind in KINDS for ending in kind.suffixes} - {""}
            )
            raise OutputError(
                f"The output must end in one of {', '.join(known)}; got {output}. "
                "Rename it.",
                plain=(
                    f"What kind of result {output} is to be is not clear from its "
                    f"name. End it in one of {', '.join(known)}."
                ),
            )
        return found
    found = next((kind for kind in KINDS if kind.name == name), None)
    if found is None:
        raise InputError(
            f"The kind must be one of {', '.join(kind.name for kind in KINDS)}; got "
            f"'{name}'. Choose one of these.",
            plain=(
                f"There is no kind of result '{name}'. Choose one of "
                f"{', '.join(kind.name for kind in KINDS)}."
            ),
        )
    if suffix not in found.suffixes:
        raise OutputError(
            f"The file of {found.what} must end in {' or '.join(found.suffixes)}; got "
            f"{output}. Rename it.",
            plain=(
                f"The name of {found.what} ends in {' or '.join(found.suffixes)}; "
                f"this one does not: {output}. Rename it."
            ),
        )
    return found


def export(
    mask: Volume,
    scan: Volume | str | Path | None,
    output: str | Path,
    *,
    kind: str | None = None,
    provenance: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    **options: Any,
) -> Path:
    """Write a mask in one of the forms of `KINDS`.

    Parameters
    ----------
    mask : Volume
        0 and 1, or one other value.
    scan : Volume, str, Path or None
        What the mask was drawn on. DICOM takes its file, which a volume names as its
        ``source``.
    output : str or Path
        Its ending chooses the form where ``kind`` does not.
    kind : str, optional
        Name of the form.
    provenance : mapping, optional
        Who drew the mask, see `core.io.read_provenance`.
    overwrite : bool
        Replace a file that is there.
    **options
        Of the form; those that are None or False are as if not given.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    InputError
        If the scan is needed and not given, the form has no such option, or as its
        writer does.
    OutputError
        If the form is unknown, or the file exists or cannot be written.
    """
    return drain(
        exporting(
            mask,
            scan,
            output,
            kind=kind,
            provenance=provenance,
            overwrite=overwrite,
            **options,
        )
    )


def exporting(
    mask: Volume,
    scan: Volume | str | Path | None,
    output: str | Path,
    *,
    kind: str | None = None,
    provenance: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    **options: Any,
) -> Generator[Event, None, Path]:
    """Do what `export` does; yields while it works."""
    chosen = kind_of(output, kind)
    if scan is None and chosen.needs_scan:
        raise InputError(
            f"The scan must be given for {chosen.what}; got none. Name the file that "
            "the mask was drawn on.",
            plain=(
                f"The scan is needed for {chosen.what}. Name the file that the "
                "mask was drawn on."
            ),
        )
    given = {key: v for key, v in options.items() if v is not None and v is not False}
    foreign = sorted(given.keys() - chosen.options)
    if foreign:
        raise InputError(
            f"The options must be those of {chosen.what} "
            f"({', '.join(sorted(chosen.options)) or 'none'}); got "
            f"{', '.join(foreign)}. Leave them out.",
            plain=(
                f"These options have no use for {chosen.what}: "
                f"{', '.join(foreign)}. Leave them out."
            ),
        )
    mask = replace(mask, array=as_mask(mask.array))
    module, _, function = chosen.writer.partition(":")
    write = getattr(import_module(f"{__name__}.{module}"), function)
    if isinstance(scan, Volume) and chosen.suffixes == (".dcm",):
        scan = scan.metadata.get("source") or output
    yield Progress(0, 0, "frames", "Exporting")
    written = write(
        mask, scan, output, provenance=provenance, overwrite=overwrite, **given
    )
    if isgenerator(written):
        written = yield from written
    return Path(written)
