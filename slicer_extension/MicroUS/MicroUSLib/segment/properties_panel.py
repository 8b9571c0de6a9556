"""The part *Scan properties*: what a person states about a scan whose file does not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

from MicroUSLib.event_pump import EventPump
from MicroUSLib.failure import shown_plainly
from MicroUSLib.scene.loaded_size import size_stated_by_file
from MicroUSLib.scene.nodes import grid_from_node
from MicroUSLib.scene.scan_properties import (
    adopt_properties,
    keep_beside,
    properties_beside,
    properties_of,
    use_properties,
)
from MicroUSLib.scene.space import remove_resampled_sweep

from .properties_form import (
    enable_fields,
    fill_choices,
    read_properties,
    show_pixel,
    show_properties,
)
from .stacking import frames_behind, stack_frames

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import SimpleNamespace
    from typing import Any

    from MicroUSLib.parameters import MicroUSParameterNode
    from napari_microus.core.io import ScanProperties
    from napari_microus.core.volume import Volume


class PropertiesPanel:
    """Ties the fields of *Scan properties* to the chosen scan.

    Parameters
    ----------
    ui : namespace
        The widgets of ``MicroUS.ui`` by name.
    ensure_packages : callable
        Installs what is missing, or raises.

    Attributes
    ----------
    before_change, after_change : list of callable
        Called with the scan before and after its size changes; an error before keeps
        the scan as it is.
    """

    def __init__(self, ui: SimpleNamespace, ensure_packages: Callable[[], Any]) -> None:
        self._ui = ui
        self._ensure_packages = ensure_packages
        self._parameters: MicroUSParameterNode | None = None
        self._shown: slicer.vtkMRMLVolumeNode | None = None
        self.before_change: list[Callable[[Any], None]] = []
        self.after_change: list[Callable[[Any], None]] = []
        fill_choices(ui)
        ui.sweepComboBox.currentIndexChanged.connect(self._on_field)
        ui.distanceUnknownCheckBox.toggled.connect(self._on_field)
        ui.keepPropertiesButton.clicked.connect(self.keep)
        ui.readPropertiesButton.clicked.connect(self.read_again)
        ui.stackFramesButton.clicked.connect(self.stack)
        ui.volumeSelector.currentNodeChanged.connect(self.refresh)

    def use(self, parameters: MicroUSParameterNode | None) -> None:
        """Show the chosen scan; None while the module is not shown."""
        self._parameters = parameters
        if parameters is None:
            self._shown = None
        else:
            self.refresh()

    def refresh(self, *args: object) -> None:
        """Show what is known of the chosen scan; use what lies beside its file."""
        volume = self._ui.volumeSelector.currentNode()
        self._ui.keepPropertiesButton.enabled = volume is not None
        self._ui.readPropertiesButton.enabled = volume is not None
        self._ui.stackFramesButton.enabled = frames_behind(volume) > 1
        if volume is self._shown:
            return
        self._shown = volume
        if volume is None:
            self._say("")
            return
        try:
            from napari_microus.core.errors import MicroUSError
        except ImportError:
            self._shown = None  # looked at once it is there
            self._say(_("The first Apply installs what is needed."))
            return
        try:
            self._adopt(volume)
            self._show(volume)
        except MicroUSError as error:
            self._say(error.plain)

    def _adopt(self, volume: slicer.vtkMRMLVolumeNode) -> None:
        if adopt_properties(volume, self.before_change):
            self._show_change(volume)

    def keep(self, *args: object) -> None:
        """Use what stands in the fields, and keep it with the scan."""
        with shown_plainly(_("The scan was left as it was.")):
            self._ensure_packages()
            volume = self._ui.volumeSelector.currentNode()
            frames = grid_from_node(volume).shape[0]
            properties = read_properties(self._ui, frames)
            # Stated in napari or on the command line; there is no field for it here.
            properties = replace(properties, blank=properties_of(volume).blank)
            self._use(volume, properties)
            kept = keep_beside(volume, properties)
            if kept.problem:
                where = _("Kept with the scene alone: {0}").format(kept.problem)
            elif kept.file is None:
                where = _("Kept with the scene; save it.")
            elif properties.is_empty:
                where = _("Nothing is stated about this scan any more.")
            else:
                where = _("Kept beside the scan in {0}.").format(kept.file.name)
            self._show(volume, where)

    def read_again(self, *args: object) -> None:
        """Use what lies beside the scan's file, instead of what was stated here."""
        with shown_plainly(_("The scan was left as it was.")):
            self._ensure_packages()
            volume = self._ui.volumeSelector.currentNode()
            found = properties_beside(volume)
            self._use(volume, found)
            nothing = _("Nothing is stated beside the scan's file.")
            self._show(volume, nothing if found.is_empty else "")

    def stack(self, *args: object) -> None:
        """Make one scan of the chosen sequence, and choose it."""
        with shown_plainly(_("No scan was made.")):
            self._ensure_packages()
            volume = self._ui.volumeSelector.currentNode()
            pump = EventPump(lambda done, total, words: self._say(words))
            scan = stack_frames(volume, pump)
            self._parameters.volume = scan
            slicer.util.setSliceViewerLayers(background=scan, fit=True)

    def _use(
        self, volume: slicer.vtkMRMLVolumeNode, properties: ScanProperties
    ) -> None:
        if properties == properties_of(volume):
            use_properties(volume, properties)  # kept, and nothing moves
            return
        for check in self.before_change:
            check(volume)
        use_properties(volume, properties)
        self._show_change(volume)

    def _show_change(self, volume: slicer.vtkMRMLVolumeNode) -> None:
        remove_resampled_sweep(volume)
        for follow in self.after_change:
            follow(volume)
        if slicer.app.layoutManager() is not None:
            slicer.util.resetSliceViews()  # it may be twenty times smaller now

    def _show(self, volume: slicer.vtkMRMLVolumeNode, where: str = "") -> None:
        """Fill the fields, and say in words what is known."""
        grid = grid_from_node(volume)
        properties = properties_of(volume)
        show_properties(self._ui, properties)
        count = frames_behind(volume)
        if count > 1:
            where = _(
                "One of {0} frames of a sequence. For a volume, make one scan of them."
            ).format(count)
        lines = [_known(grid), *grid.metadata.get("notices", []), where]
        if not grid.has_geometry:
            self._ui.propertiesSection.collapsed = False  # asked, and not assumed
            lines.insert(1, self._offer(volume))
        self._say("\n".join(line for line in lines if line))

    def _offer(self, volume: slicer.vtkMRMLVolumeNode) -> str:
        """Put a calibration that Slicer left out into the fields, to be used or not."""
        file = size_stated_by_file(volume)
        if file is None or file.pixel_mm is None:
            return _(
                "Slicer shows 1 mm, which no file states; numbers are in pixels. State "
                "the size of a pixel."
            )
        height, width = file.pixel_mm
        show_pixel(self._ui, file.pixel_mm)
        return _(
            "The file states a pixel of {0:.4g} × {1:.4g} mm, which Slicer left out; "
            "it stands in the fields above. Press Use and keep."
        ).format(height, width)

    def _on_field(self, *args: object) -> None:
        enable_fields(self._ui)

    def _say(self, words: str) -> None:
        self._ui.propertiesLabel.text = words


def _known(grid: Volume) -> str:
    """Return in words what is known of a scan's size."""
    from napari_microus.core.sweep import sweep_of

    frames, rows, columns = grid.shape
    distance, height, width = grid.spacing_mm
    words = _("{0} frames of {1} × {2} pixels").format(frames, rows, columns)
    if grid.has_geometry:
        words += _(" of {0:.4g} × {1:.4g} mm").format(height, width)
    else:
        words += _(" of unknown size")
    if frames == 1:
        return f"{words}."
    sweep = sweep_of(grid.metadata)
    if sweep.kind == "rotational":
        angles = sweep.angles_deg
        turn = abs(angles[-1] - angles[0])
        return _("{0}; a rotational sweep of {1:.4g}°.").format(words, turn)
    if grid.knows_frame_distance:
        return _("{0}, {1:.4g} mm apart.").format(words, distance)
    return _("{0}; the distance of the frames is unknown.").format(words)
