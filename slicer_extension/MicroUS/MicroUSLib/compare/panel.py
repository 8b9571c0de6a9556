"""The part *Compare*: see where two annotators differ."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

from MicroUSLib.event_pump import load_torch
from MicroUSLib.parameters import NETWORK_PX, RANKS
from MicroUSLib.scene import resampling
from MicroUSLib.scene.annotations import mask_from_node
from MicroUSLib.scene.nodes import (
    is_in_scene,
    jump_to_voxel,
    require_volume,
    volume_from_node,
)
from MicroUSLib.scene.results import remove_table

from . import comparison, tables
from .adjudication_panel import AdjudicationPanel
from .annotation_choice import AnnotationChoice
from .blind import BlindDisplay
from .difficulty_panel import DifficultyPanel
from .live_update import LiveUpdate
from .tools_panel import ToolsPanel
from .work import CompareWork
from .work_list_panel import WorkListPanel

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import SimpleNamespace

    from MicroUSLib.parameters import MicroUSParameterNode
    from napari_microus.core.compare.naming import Naming
    from napari_microus.core.events import Event
    from napari_microus.core.volume import Volume

    from .comparison import Comparison

_MASKS = "Masks (*.nii *.nii.gz *.nrrd *.mha *.mhd *.tif *.tiff *.png);;All files (*)"


class ComparePanel:
    """Ties the widgets of *Compare* to the core.

    Parameters
    ----------
    ui : namespace
        The widgets of ``MicroUS.ui`` by name.
    ensure_packages : callable
        Installs what is missing, or raises.

    Attributes
    ----------
    adjudicating : AdjudicationPanel
        The part below the tables.
    tools : ToolsPanel
        Consensus, and the check of a model.
    difficulty : DifficultyPanel
        The order of frames by predicted difficulty.
    work_list : WorkListPanel
        The cases of a study or folder.
    ask_mask : callable
        Gives the path of a mask to load, or "" when the user changes their mind.
    """

    def __init__(self, ui: SimpleNamespace, ensure_packages: Callable[[], Any]) -> None:
        self._ui = ui
        self.ensure_packages = ensure_packages
        self.ask_mask = _ask_mask
        self.found: Comparison | None = None
        self._differences: slicer.vtkMRMLSegmentationNode | None = None
        self._display = BlindDisplay(ui)
        self.parameters: MicroUSParameterNode | None = None
        self.work = CompareWork(ui, self.refresh)
        self.adjudicating = AdjudicationPanel(ui, self.work, self)
        self.tools = ToolsPanel(ui, self.work, self)
        self.difficulty = DifficultyPanel(ui, self.work, self)
        self.work_list = WorkListPanel(ui, self.work, self)
        self._live = LiveUpdate(ui, self)
        self.expert, self.nonexpert, self.model = (
            AnnotationChoice(
                getattr(ui, f"{name}Selector"),
                getattr(ui, f"{name}PartComboBox"),
                name,
                role,
                self._on_choice,
            )
            for name, role in (
                ("expert", "expert"),
                ("nonexpert", "non-expert"),
                ("model", "model's"),
            )
        )
        ui.nonexpertSelector.currentNodeChanged.connect(self._on_nonexpert)
        ui.loadExpertButton.clicked.connect(self.load_expert)
        ui.loadNonexpertButton.clicked.connect(self.load_nonexpert)
        ui.resampleButton.clicked.connect(self.resample)
        ui.compareButton.clicked.connect(self.compare)
        ui.blindCheckBox.toggled.connect(self._on_blind)
        ui.frameTable.cellClicked.connect(self._on_row)
        self.refresh()

    @property
    def choices(self) -> tuple[AnnotationChoice, ...]:
        """What is chosen as expert, as non-expert and as the model's."""
        return self.expert, self.nonexpert, self.model

    def use(self, parameters: MicroUSParameterNode | None) -> None:
        """Work on these choices from now on; None while the module is not shown."""
        self.parameters = parameters
        for choice in self.choices:
            choice.restore(parameters)
        self._on_choice()

    def close(self) -> None:
        """Forget the case: its scene is going away."""
        self.work.scene_closes()
        self._live.leave()
        self.difficulty.release()
        self.work_list.forget()
        self.found = self._differences = None
        self._display.reveal()
        self.adjudicating.forget()
        self.tools.forget()
        for table in (self._ui.frameTable, self._ui.placeTable):
            table.rowCount = 0
        self._ui.totalsLabel.text = ""
        self.refresh()

    def check_size_may_change(self, volume: slicer.vtkMRMLVolumeNode) -> None:
        """Raise a sentence while decisions about this scan are at work."""
        from napari_microus.core.errors import InputError

        is_shown = self.found is not None and self.found.volume is volume
        if is_shown and (self.adjudicating.is_begun or self.work.is_busy):
            raise InputError(
                "The size of a scan must stay while its annotations are adjudicated; "
                "got another. Save the adjudication, press Compare, and state it then.",
                plain=(
                    "The annotations of this scan are being adjudicated, so that "
                    "its size was left as it is. Save the adjudication, press "
                    "Compare, and state the size then."
                ),
            )

    def on_size(self, volume: slicer.vtkMRMLVolumeNode) -> None:
        """Forget numbers of a scan whose size is another now."""
        if self.found is None or self.found.volume is not volume:
            return
        remove_table(volume)
        self.close()
        self.work.say(_("The scan has another size: press Compare again."))

    def release(self) -> None:
        """End what is at work: the module is going away."""
        self.adjudicating.remove_keys()
        self.adjudicating.keep()
        self._live.leave()
        self.difficulty.release()
        self.work.release()

    # --- choosing ----------------------------------------------------------------
    def _on_choice(self) -> None:
        self.tools.list_annotators()
        self.refresh()

    def _on_nonexpert(self, *args: object) -> None:
        node = self._ui.nonexpertSelector.currentNode()
        if node is not None and node is self._ui.expertSelector.currentNode():
            self.nonexpert.take_next()  # two segments of one node are the usual case

    def choose(
        self,
        scan: slicer.vtkMRMLScalarVolumeNode | None,
        drawn: list[tuple[slicer.vtkMRMLNode, str]],
    ) -> None:
        """Choose a scan, and the first two of what was drawn on it."""
        parameters = self.parameters
        parameters.volume = scan
        pairs = [*drawn[:2], (None, ""), (None, "")]
        for choice, (node, part) in zip(
            (self.expert, self.nonexpert), pairs, strict=False
        ):
            choice.choose(node, part, parameters)

    def load_expert(self, *args: object) -> None:
        """Load a mask file as the expert's."""
        self._load(self.expert)

    def load_nonexpert(self, *args: object) -> None:
        """Load a mask file as the other annotator's."""
        self._load(self.nonexpert)

    def _load(self, choice: AnnotationChoice) -> None:
        path = self.ask_mask()
        if not path:
            return
        with self.work.doing(_("The mask was not loaded.")) as on_event:
            self.ensure_packages()
            parameters = self.parameters
            node = resampling.load_mask(path, parameters.volume, on_event)
            choice.choose(node, "", parameters)
            self.work.say(_("Loaded '{0}'.").format(node.GetName()))

    def resample(self, *args: object) -> None:
        """Bring what lies on another grid or under another transform onto the scan."""
        with self.work.doing(_("The annotation was not resampled.")) as on_event:
            self.ensure_packages()
            parameters = self.parameters
            volume, moved = parameters.volume, []
            require_volume(volume)
            for choice in self.choices:
                if choice.is_made and resampling.lies_elsewhere(
                    choice.annotator, volume
                ):
                    copy = resampling.resampled(choice.annotator, volume, on_event)
                    choice.choose(*copy, parameters)
                    moved.append(f"'{copy[0].GetName()}'")
            self.work.say(
                _("Resampled: {0}.").format(", ".join(moved))
                if moved
                else _("All annotations lie on the scan; nothing was resampled.")
            )

    def case(
        self, on_event: Callable[[Event], None]
    ) -> tuple[Volume, Volume, Volume | None]:
        """Return scan, expert and non-expert (None if none is chosen) as volumes.

        ``on_event`` is called between two steps.

        Raises
        ------
        InputError
            If the expert's annotation is missing, or one lies elsewhere.
        """
        expert, nonexpert = self.expert.annotator, self.nonexpert.annotator
        scan = comparison.scan_of(self.parameters.volume, expert, nonexpert)
        masks = [
            mask_from_node(a.node, a.part, scan, a.role, on_event)
            for a in (expert, nonexpert)
            if a is expert or is_in_scene(a.node)
        ]
        return volume_from_node(scan), masks[0], (*masks, None)[1]

    # --- comparing ---------------------------------------------------------------
    def compare(self, *args: object) -> None:
        """Compare the chosen annotations, and show what differs."""
        with self.work.doing(_("The annotations were not compared.")) as on_event:
            self.ensure_packages()
            choices = self.parameters
            expert, nonexpert = self.expert.annotator, self.nonexpert.annotator
            volume = comparison.scan_of(choices.volume, expert, nonexpert)
            kernel_size = choices.kernelSize
            on_network = choices.kernelGrid == NETWORK_PX
            if on_network:
                load_torch(on_event)
            found = comparison.compare(
                volume,
                expert,
                nonexpert,
                kernel_size=kernel_size,
                on_network=on_network,
                rank_by=RANKS[choices.rankBy],
                smallest_px=choices.smallestRegion,
                through_frames=choices.throughFrames,
                is_blind=choices.blind,
                on_event=on_event,
            )
            require_volume(volume)  # the window lived meanwhile
            self._differences = comparison.show_differences(
                found, kernel_size, on_event
            )
            comparison.show_table(found)
            self.found = found
            self._live.follow(self._differences)
            self.use_naming(found.naming)
            self.work.say(_("Not for clinical use."))
            self.adjudicating.begin_with(self.found)

    def use_naming(self, naming: Naming) -> None:
        """Call and colour the two annotators so, everywhere in the panel."""
        found = self.found = replace(self.found, naming=naming)
        self._display.reveal()
        if naming.is_blind:
            self._display.hide(node for node, _part in found.parts)
        if is_in_scene(self._differences):
            comparison.rename_differences(self._differences, naming)
        self._ui.totalsLabel.text = tables.totals(found)
        tables.fill_frames(self._ui.frameTable, found)
        tables.fill_places(self._ui.placeTable, found)
        self.adjudicating.show_naming()

    @property
    def is_behind(self) -> bool:
        """Whether somebody painted in an annotation since it was compared."""
        return self._live.is_behind

    def order_by_difficulty(self, per_frame: list[float]) -> bool:
        """Put frames and regions in order of predicted difficulty, the hardest first.

        Returns
        -------
        bool
            Whether deciding was begun: the regions then keep their order.
        """
        from napari_microus.core.compare.difficulty import hardest_first

        found = replace(self.found, difficulty=per_frame)
        is_begun = self.adjudicating.is_begun
        if not is_begun:
            found = replace(found, regions=hardest_first(found.regions, per_frame))
        self.found = found
        tables.fill_frames(self._ui.frameTable, found)
        if not is_begun:
            self.adjudicating.begin_with(found)
        return is_begun

    def _on_blind(self, *args: object) -> None:
        """Reveal who is who when the box is unticked."""
        if self._ui.blindCheckBox.checked or self.found is None:
            return
        from napari_microus.core.compare.naming import OPEN

        if self.found.naming.is_blind:
            self.use_naming(OPEN)

    def _on_row(self, line: int, *args: object) -> None:
        self.look(tables.frame_at(self._ui.frameTable, line), None)

    def look(self, frame: int, center: tuple[float, float] | None) -> None:
        """Show a frame in all slice views, centred on row and column."""
        volume = self.found.volume
        if not is_in_scene(volume):
            return
        columns, rows, _ = volume.GetImageData().GetDimensions()
        row, column = center or ((rows - 1) / 2, (columns - 1) / 2)
        jump_to_voxel(volume, frame, row, column)

    def refresh(self) -> None:
        """Enable what can be pressed now."""
        ui, is_free = self._ui, not self.work.is_busy
        ui.compareProgressBar.visible = not is_free
        ui.cancelCompareButton.enabled = not is_free
        ui.compareButton.enabled = is_free
        for button in (ui.loadExpertButton, ui.loadNonexpertButton, ui.resampleButton):
            button.enabled = is_free
        self.adjudicating.refresh(is_free)
        self.tools.refresh(is_free)
        self.difficulty.refresh(is_free)
        self.work_list.refresh(is_free)


def _ask_mask() -> str:
    return qt.QFileDialog.getOpenFileName(
        slicer.util.mainWindow(), _("Load a mask"), "", _MASKS
    )
