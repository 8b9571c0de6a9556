"""The adjudicated mask as layers, with its journal and its files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal

from napari_microus.core import colors
from napari_microus.core.compare.adjudication.journal import (
    journal_path,
    read_journal,
    remove_journal,
    write_journal,
)
from napari_microus.core.compare.adjudication.session import (
    FROM_EXPERT,
    FROM_NONEXPERT,
    HAND_DRAWN,
    Adjudication,
    Decision,
)
from napari_microus.core.compare.adjudication.sidecar import (
    Origin,
    from_document,
    read_document,
    save_adjudication,
    to_document,
)
from napari_microus.core.compare.naming import (
    AGREED_COLOR,
    HAND_DRAWN_COLOR,
    Naming,
)
from napari_microus.core.compare.regions import RankBy, disputed_regions
from napari_microus.core.mask import IGNORE_VALUE
from napari_microus.widgets._shared.edits import EditWatcher
from napari_microus.widgets._shared.layers import derived_metadata, geometry
from napari_microus.widgets._shared.worker import start_worker
from napari_microus.widgets.compare.pair import ROLE

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari.layers import Labels, Shapes
    from numpy.typing import NDArray

    from napari_microus.core.compare.regions import DisputedRegion
    from napari_microus.core.events import Event
    from napari_microus.widgets._shared.worker import Worker
    from napari_microus.widgets.compare.live import LiveComparison

# Decisions and strokes of one second go into the journal together.
_JOURNAL_PAUSE_MS = 1000


@dataclass(frozen=True)
class RegionChoice:
    """How disputed regions are found and ranked, and by whom they are adjudicated."""

    rank_by: RankBy = RankBy.contour_distance
    through_frames: bool = False
    smallest_px: int = 1
    who: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the settings for a sidecar."""
        return {
            "rank_by": str(self.rank_by),
            "through_frames": self.through_frames,
            "smallest_px": self.smallest_px,
        }


class Settling(QObject):
    """An adjudication shown in the viewer.

    ``changed()`` tells of a decision or a stroke, ``said(text)`` of something the
    user should read, and ``ended(reason)`` that the adjudicated layer has gone.

    Parameters
    ----------
    comparison : LiveComparison
        The pair that is being adjudicated.
    work : Adjudication
        What was decided so far.
    journal : Path
        File that keeps unsaved decisions through a crash.
    settings : dict
        How the regions were found; goes into the sidecar.
    """

    changed = Signal()
    said = Signal(str)
    ended = Signal(str)

    def __init__(
        self,
        comparison: LiveComparison,
        work: Adjudication,
        journal: Path,
        settings: dict[str, Any],
    ) -> None:
        super().__init__()
        self.viewer = comparison.viewer
        self.grid = comparison.grid
        self.work = work
        self.margin_px: int | None = None
        self.is_saved = True
        self._journal = journal
        self._settings = settings
        self._pair = comparison.pair
        self._names = comparison.names
        self._naming = comparison.naming
        self.box_layer: Shapes | None = None
        self._worker: Worker | None = None
        self._flat = comparison.layer.ndim == 2
        self._locked = [
            (layer, layer.locked)
            for layer in (self._pair.expert, self._pair.nonexpert)
            if hasattr(layer, "locked")
        ]
        for layer, _ in self._locked:
            layer.locked = True
        self.provenance_layer = self._add_layer("provenance", work.provenance)
        self.provenance_layer.editable = False
        self.provenance_layer.visible = False
        self.layer = self._add_layer("adjudicated", work.mask)
        self.layer.contour = 2
        self.show_naming(comparison.naming)
        self._watcher = EditWatcher(self.viewer, self.layer, with_dabs=False)
        self._watcher.edited.connect(self._on_edit)
        self._watcher.replaced.connect(self._on_replaced)
        self.viewer.layers.events.removed.connect(self._on_removed)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(_JOURNAL_PAUSE_MS)
        self._pause.timeout.connect(self.write_journal)

    # --- decisions

    def decide(self, region: DisputedRegion, decision: Decision) -> None:
        """Give a region to one annotator, or leave it open."""
        self._redraw(self.work.decide(region, decision))
        self._has_changed()

    def undo(self) -> DisputedRegion | None:
        """Undo the last decision and return its region."""
        region = self.work.undo()
        if region is not None:
            self._redraw(region.box)
            self._has_changed()
        return region

    def look_at(self, region: DisputedRegion) -> None:
        """Bring a region into view, centred and large."""
        layer = self.layer
        frame, y, x = region.centre
        offset = self.viewer.dims.ndim - layer.ndim
        if not self._flat:
            world = layer.data_to_world((frame, y, x))
            self.viewer.dims.set_point(offset, float(world[0]))
        index = (y, x) if self._flat else (frame, y, x)
        camera = self.viewer.scene.camera
        camera.center = tuple(float(v) for v in layer.data_to_world(index)[-3:])
        rows = region.box[1].stop - region.box[1].start
        columns = region.box[2].stop - region.box[2].start
        size = max(rows * layer.scale[-2], columns * layer.scale[-1])
        # With some of the picture around it, the more the smaller it is.
        width = max(1.4 * size, size + 80 * layer.scale[-1])
        camera.zoom = min(self.viewer.canvas.size) / width
        self._frame_in(region)

    # --- layers

    def _frame_in(self, region: DisputedRegion) -> None:
        """Draw a box around the region that is being looked at."""
        (y0, y1), (x0, x1) = (
            (part.start - 1.5, part.stop + 0.5) for part in region.box[1:]
        )
        corners = np.array([(y0, x0), (y0, x1), (y1, x1), (y1, x0)])
        if not self._flat:
            frames = np.full((4, 1), region.frame)
            corners = np.hstack([frames, corners])
        if self.box_layer is None:
            active = self.viewer.layers.selection.active
            self.box_layer = self.viewer.add_shapes(
                [corners],
                name="current region",
                edge_color="white",
                edge_width=1,
                face_color="transparent",
                opacity=0.9,
                metadata=derived_metadata(self._pair.expert, **{ROLE: "box"}),
                **geometry(self._pair.expert),
            )
            self.box_layer.editable = False
            self.viewer.layers.selection.active = active
        else:
            self.box_layer.data = [corners]

    def show_naming(self, naming: Naming) -> None:
        """Use other names and colours."""
        self._naming = naming
        self.layer.colormap = {
            1: AGREED_COLOR,
            IGNORE_VALUE: colors.IGNORED,
            None: "transparent",
        }
        self.provenance_layer.colormap = {
            FROM_EXPERT: naming.expert_color,
            FROM_NONEXPERT: naming.nonexpert_color,
            HAND_DRAWN: HAND_DRAWN_COLOR,
            IGNORE_VALUE: colors.IGNORED,
            None: "transparent",
        }

    def close(self) -> None:
        """Write the journal, unlock the masks and follow the layer no longer."""
        if self._pause.isActive():
            self._pause.stop()
            write_journal(self.document(), self._journal)
        self._watcher.close()
        self.viewer.layers.events.removed.disconnect(self._on_removed)
        if self.box_layer is not None and self.box_layer in self.viewer.layers:
            self.viewer.layers.remove(self.box_layer)
        for layer, before in self._locked:
            layer.locked = before

    def _add_layer(self, name: str, array: NDArray[np.uint8]) -> Labels:
        expert = self._pair.expert
        return self.viewer.add_labels(
            array[0] if self._flat else array,
            name=name,
            opacity=0.8,
            metadata=derived_metadata(
                expert, **({ROLE: name} if name == "provenance" else {})
            ),
            **geometry(expert),
        )

    def _redraw(self, box: tuple[slice, ...]) -> None:
        for layer in (self.layer, self.provenance_layer):
            layer.refresh(thumbnail=False, highlight=False, extent=False)

    def _on_edit(self, box: tuple[slice, ...]) -> None:
        three = (slice(0, 1), *box) if self._flat else box
        shape = self.work.mask.shape
        z, y, x = (
            slice(*part.indices(n)[:2]) for part, n in zip(three, shape, strict=True)
        )
        before = self.work.provenance[z, y, x].copy()
        taken_back = self.work.hand_drawn((z, y, x), margin_px=self.margin_px)
        if taken_back:
            self.said.emit(
                "What was drawn away from disputed pixels was undone. "
                "Switch the limit off to draw anywhere."
            )
        if taken_back or (before != self.work.provenance[z, y, x]).any():
            self._redraw(three)
            self._has_changed()

    def _on_replaced(self) -> None:
        array = self.layer.data[None] if self._flat else self.layer.data
        if array is self.work.mask or array.base is self.work.mask:
            return
        if array.shape == self.work.mask.shape:
            self.work.take_mask(array.astype(self.work.mask.dtype))
            self._has_changed()
        else:
            self.said.emit("The adjudicated layer must keep its size. Undo the change.")
        self.layer.data = self.work.mask[0] if self._flat else self.work.mask

    def _on_removed(self, event: Any) -> None:
        if event.value is self.box_layer:
            self.box_layer = None
        if event.value in (self.layer, self.provenance_layer):
            self.ended.emit(
                f"The layer '{event.value.name}' was removed. Decisions are kept: "
                "press Start to take them up again."
            )

    def _has_changed(self) -> None:
        self.is_saved = False
        self._pause.start()
        self.changed.emit()

    # --- files

    def origin(self) -> Origin:
        """Return what the sidecar says about the masks."""
        return Origin(
            *self._names,
            self.grid.spacing_mm,
            {**self._settings, "blind": self._naming.as_json()},
        )

    def document(self) -> dict[str, Any]:
        """Return the adjudication as JSON-ready data."""
        return to_document(self.work, self.origin())

    def write_journal(self) -> None:
        """Write the journal in a thread."""
        if self._worker is not None:
            self._pause.start()
            return
        self._worker = start_worker(
            _write,
            self.document(),
            self._journal,
            errored=self._on_journal_error,
            finished=self._on_journal_written,
        )

    def save(
        self, path: Path, overwrite: bool = False
    ) -> Generator[Event, None, tuple[Path, Path, Path]]:
        """Write mask, provenance and sidecar; run it in a thread."""
        yield from ()
        paths = save_adjudication(
            self.work, self.origin(), self.grid, path, overwrite=overwrite
        )
        remove_journal(self._journal)
        return paths

    def _on_journal_error(self, error: Exception) -> None:
        self.said.emit(f"The journal could not be written: {error}")

    def _on_journal_written(self) -> None:
        self._worker = None


@dataclass(frozen=True, eq=False)
class Begun:
    """A new adjudication, and the journal of an older one if there is any."""

    work: Adjudication
    journal: dict[str, Any] | None


def begin(
    codes: NDArray[np.uint8],
    spacing_mm: tuple[float, float, float],
    choice: RegionChoice,
    journals: Path | None,
) -> Generator[Event, None, Begun]:
    """Find the regions and prepare an adjudication; run it in a thread."""
    codes = codes.copy() if codes.ndim == 3 else codes[None].copy()
    regions = yield from disputed_regions(
        codes,
        spacing_mm,
        through_frames=choice.through_frames,
        rank_by=choice.rank_by,
        smallest_px=choice.smallest_px,
    )
    work = Adjudication(codes, regions, who=choice.who)
    # Both are cached; computed here they cost the window nothing.
    _ = work.digest, work.region_runs
    path = journal_path(work.digest, codes.shape, spacing_mm, journals)
    return Begun(work, read_journal(path, work.digest))


def resume(
    source: Path | dict[str, Any], codes: NDArray[np.uint8], mask_path: Path | None
) -> Generator[Event, None, tuple[Adjudication, Origin, str | None]]:
    """Load an adjudication from a sidecar or a journal; run it in a thread."""
    from napari_microus.core.io import read_volume

    yield from ()
    document = read_document(source) if isinstance(source, Path) else source
    codes = codes.copy() if codes.ndim == 3 else codes[None].copy()
    work, origin, changed = from_document(document, codes)
    if mask_path is not None and mask_path.exists():
        mask = read_volume(mask_path).array
        if mask.shape == codes.shape:
            work.take_mask(mask.astype(codes.dtype))
    _ = work.digest, work.region_runs
    return work, origin, changed


def _write(document: dict[str, Any], path: Path) -> Generator[Event, None, None]:
    yield from ()
    write_journal(document, path)
