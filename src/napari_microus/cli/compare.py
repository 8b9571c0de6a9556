"""``napari-microus compare``: where and how much annotators differ."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_microus.cli._console import ProgressOption, ProgressStyle, drain
from napari_microus.cli.application import app
from napari_microus.core.consensus_rules import Consensus, why_not

if TYPE_CHECKING:
    from napari_microus.core.compare.case_comparison import CaseComparison
    from napari_microus.core.volume import Volume


class KernelGrid(StrEnum):
    """Whose pixels a kernel size counts."""

    network = "network"
    scan = "scan"


Tolerance = Annotated[
    float,
    typer.Option(
        min=0,
        help="Distance within which contours count as equal, for surface Dice and "
        "added path length: in mm, in pixels where the pixel size is unknown.",
    ),
]
PatientPattern = Annotated[
    str | None,
    typer.Option(
        help="Regular expression whose first group is the patient in a file's name. "
        "Without it the number is: 7 and 7_1 are two scans of patient 7.",
    ),
]


@app.command()
def compare(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="EXPERT NONEXPERT [MORE]...",
            help="Mask files of one case, or folders of them, one per annotator. "
            "Files of folders belong together when their names end in the same "
            "number.",
        ),
    ],
    csv: Annotated[
        Path | None, typer.Option(help="Write the table of all frames here.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write every number here.")] = None,
    panels: Annotated[
        Path | None,
        typer.Option(
            help="Write a picture of each case's most disputed frame into this folder."
        ),
    ] = None,
    scan: Annotated[
        Path | None,
        typer.Option(help="The scan (or folder of scans) to draw under the pictures."),
    ] = None,
    consensus: Annotated[
        Consensus | None,
        typer.Option(help="Fuse the annotators; needs --consensus-out."),
    ] = None,
    consensus_out: Annotated[
        Path | None,
        typer.Option(help="The consensus: a file, or a folder for several cases."),
    ] = None,
    hard_region: Annotated[
        Path | None,
        typer.Option(help="The hard region: a file, or a folder for several cases."),
    ] = None,
    kernel_size: Annotated[
        int,
        typer.Option(min=1, help="Edge of the square that widens the hard region."),
    ] = 4,
    kernel_grid: Annotated[
        KernelGrid,
        typer.Option(
            help="Whose pixels the square is counted in: the network's (224 px), as "
            "the losses do, or the scan's."
        ),
    ] = KernelGrid.network,
    label: Annotated[
        int | None, typer.Option(help="Value of the capsule in files of several.")
    ] = None,
    tolerance_mm: Tolerance = 1.0,
    patient_pattern: PatientPattern = None,
    overwrite: Annotated[bool, typer.Option(help="Replace existing files.")] = False,
    progress: ProgressOption = ProgressStyle.bar,
) -> None:
    """Compare annotators with the first one: where and how much they differ.

    Undecided pixels (255 beside 1) are left out. STAPLE and majority need three
    or more annotators; so do Fleiss' kappa, Krippendorff's alpha and the conformity
    index, which are then given too. Means over cases come with a 95 % interval over
    patients, from five patients on.
    """
    from napari_microus.core.compare.cases import compare_files
    from napari_microus.core.compare.network_grid import NETWORK_SIZE
    from napari_microus.core.compare.report import write_cases_csv, write_json
    from napari_microus.core.errors import ConfigError

    if len(sources) < 2:
        raise ConfigError(
            "Two or more annotators must be named; got one. "
            "Name the expert's and the non-expert's masks.",
            plain=(
                "One annotator alone cannot be compared. Name the expert's and the "
                "non-expert's masks."
            ),
        )
    if (consensus is None) != (consensus_out is None):
        raise ConfigError(
            "--consensus and --consensus-out must come together; got one of them. "
            "Name the method and where its mask goes.",
            plain=(
                "--consensus and --consensus-out go together, and one is missing. "
                "Name the method and where its mask goes."
            ),
        )
    outputs = _Outputs(
        sources,
        panels,
        scan,
        consensus,
        consensus_out,
        hard_region,
        kernel_size,
        NETWORK_SIZE if kernel_grid is KernelGrid.network else None,
    )
    outputs.check(csv, json, overwrite=overwrite)
    work = compare_files(
        sources,
        label=label,
        each=outputs.write,
        tolerance_mm=tolerance_mm,
        patient_pattern=patient_pattern,
    )
    result = drain(work, progress)
    if csv is not None:
        pairs = [(case, other) for case in result.cases for other in case.others]
        write_cases_csv(
            {_row_name(case, other.file): other.frames for case, other in pairs},
            csv,
            units={
                _row_name(case, other.file): "mm" if case.has_geometry else "px"
                for case, other in pairs
            },
            overwrite=overwrite,
        )
    if json is not None:
        write_json(result, json, overwrite=overwrite)
    if progress is not ProgressStyle.json:
        from napari_microus.cli._compare_table import show

        show(result, tolerance_mm)


class _Outputs:
    """What is written for each case while the others are still being compared."""

    def __init__(
        self,
        sources: list[Path],
        panels: Path | None,
        scan: Path | None,
        consensus: Consensus | None,
        consensus_out: Path | None,
        hard_region: Path | None,
        kernel_size: int,
        network_size: int | None,
    ) -> None:
        self._network_size = network_size
        self._panels = panels
        self._scan = scan
        self._consensus = consensus
        self._consensus_out = consensus_out
        self._hard_region = hard_region
        self._kernel_size = kernel_size
        self._annotators = len(sources)
        self._has_folders = sources[0].is_dir()
        self._overwrite = False

    def check(self, *files: Path | None, overwrite: bool) -> None:
        """Refuse what would fail after the work, before it."""
        from napari_microus.core.errors import InputError, OutputError

        self._overwrite = overwrite
        if self._scan is not None and self._panels is None:
            raise InputError(
                "The scan must go with pictures to lie under; got --scan without "
                "--panels. Name both, or neither.",
                plain=(
                    "--scan lies under the pictures of --panels, and that is missing. "
                    "Name both, or neither."
                ),
            )
        if self._consensus is not None:
            reason = why_not(self._consensus, self._annotators)
            if reason is not None:
                raise InputError(reason)
        masks = () if self._has_folders else (self._consensus_out, self._hard_region)
        for path in (*files, *masks):
            if path is not None and path.exists() and not overwrite:
                raise OutputError(
                    f"{path} already exists. Use --overwrite to replace it."
                )

    def write(self, name: str, masks: list[Volume], case: CaseComparison) -> None:
        """Write the case's consensus, hard region and picture."""
        from napari_microus.core.compare.cases import consensus_of, hard_region_of
        from napari_microus.core.io import write_mask

        if self._consensus is not None and self._consensus_out is not None:
            write_mask(
                consensus_of(masks, self._consensus),
                self._path(self._consensus_out, f"consensus_{name}"),
                overwrite=self._overwrite,
            )
        if self._hard_region is not None:
            arrays = [mask.array for mask in masks]
            write_mask(
                masks[0].like(
                    hard_region_of(arrays, self._kernel_size, self._network_size)
                ),
                self._path(self._hard_region, f"hard_region_{name}"),
                overwrite=self._overwrite,
            )
        if self._panels is not None:
            self._draw(self._panels / f"case_{name}.png", name, masks, case)

    def _path(self, out: Path, name: str) -> Path:
        if not self._has_folders:
            return out
        out.mkdir(parents=True, exist_ok=True)
        return out / f"{name}.nii.gz"

    def _draw(
        self, path: Path, name: str, masks: list[Volume], case: CaseComparison
    ) -> None:
        from napari_microus.core.compare.panel import draw_panel
        from napari_microus.core.files import atomic_write
        from napari_microus.core.io import is_readable, read_volume
        from napari_microus.core.io.pairing import trailing_number

        scan = self._scan
        if scan is not None and self._has_folders and scan.is_dir():
            files = (file for file in sorted(scan.iterdir()) if is_readable(file))
            scan = next((f for f in files if trailing_number(f) == name), None)
        with atomic_write(path, overwrite=self._overwrite) as part:
            draw_panel(
                masks,
                case,
                part,
                kernel_size=self._kernel_size,
                network_size=self._network_size,
                scan=read_volume(scan) if scan is not None else None,
            )


def _row_name(case: CaseComparison, file: str) -> str:
    return case.case if len(case.others) == 1 else f"{case.case} {file}"
