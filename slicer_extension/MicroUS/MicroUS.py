"""MicroUS: segment the prostate capsule, compare annotators, train on the result."""

from __future__ import annotations

import slicer
from MicroUSLib import sample_data, self_test
from MicroUSLib.compare.panel import ComparePanel
from MicroUSLib.packages.install import Installer
from MicroUSLib.packages.panel import PackagesPanel
from MicroUSLib.parameters import MicroUSParameterNode
from MicroUSLib.scene.editor import EditorPanel
from MicroUSLib.scene.nodes import first_scan, keep_sizes_of_files
from MicroUSLib.segment.correct_panel import CorrectPanel
from MicroUSLib.segment.live_panel import LivePanel
from MicroUSLib.segment.panel import SegmentPanel
from MicroUSLib.segment.script import run_and_wait
from MicroUSLib.train.panel import TrainPanel
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin


class MicroUS(ScriptedLoadableModule):
    """What Slicer shows of the module before it is opened."""

    def __init__(self, parent):
        super().__init__(parent)
        parent.title = _("MicroUS")
        parent.categories = [
            translate("qSlicerAbstractCoreModule", "Segmentation"),
            translate("qSlicerAbstractCoreModule", "Ultrasound"),
        ]
        parent.dependencies = ["Segmentations", "SegmentEditor", "Plots", "Sequences"]
        parent.contributors = ["napari-microus contributors"]
        parent.helpText = _(
            "Segment the prostate capsule in micro-ultrasound, see and adjudicate "
            "where two annotators differ, and train the network on the result. For "
            "research; not for clinical use. See the "
            '<a href="https://github.com/napari-microus/SlicerMicroUS">documentation</a>.'
        )
        parent.acknowledgementText = _(
            "The network and losses follow Fatema et al. (arXiv 2509.15595), Jiang et "
            "al. (MicroSegNet, 2024), Islam et al. (arXiv 2407.09828) and Chen et al. "
            "(TransUNet, arXiv 2102.04306)."
        )
        slicer.app.connect("startupCompleted()", sample_data.register)


class MicroUSWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Loads the panel and hands its widgets to the panels."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self._parameterNode = None
        self._guiTag = None

    def setup(self):
        """Run once, when the module is opened for the first time."""
        ScriptedLoadableModuleWidget.setup(self)
        panel = slicer.util.loadUI(self.resourcePath("UI/MicroUS.ui"))
        self.layout.addWidget(panel)
        self.ui = slicer.util.childWidgetVariables(panel)
        panel.setMRMLScene(slicer.mrmlScene)
        self.logic = MicroUSLogic()
        self.packages = PackagesPanel(self.ui)
        self.editor = EditorPanel(self.ui)
        self.segment = SegmentPanel(self.ui, self.packages.ensure)
        self.correct = CorrectPanel(self.ui, self.packages.ensure)
        self.live = LivePanel(self.ui, self.packages.ensure)
        self.compare = ComparePanel(self.ui, self.packages.ensure)
        self.train = TrainPanel(self.ui, self.packages.ensure, self.compare.case)
        self.connectPanels()
        self.observeScene()

    def connectPanels(self):
        """Let panels know what happens in others."""
        self.train.call_when_trained(self.segment.choose_model)
        for part in (self.segment, self.compare.adjudicating):
            part.show_in_editor = self.editor.show
        properties = self.segment.properties
        properties.before_change.append(self.compare.check_size_may_change)
        properties.after_change.append(self.compare.on_size)

    def observeScene(self):
        """Follow a scene that is closed, loaded into, or saved."""
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneChanged)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneChanged)
        self.addObserver(scene, scene.StartSaveEvent, self.onSceneStartSave)
        self.initializeParameterNode()

    def cleanup(self):
        """Run when the application closes or the module is reloaded."""
        self.segment.release()
        self.correct.release()
        self.live.release()
        self.compare.release()
        self.train.release()
        self.editor.release()
        self.setParameterNode(None)
        self.removeObservers()

    def enter(self):
        """Run each time the user opens the module."""
        keep_sizes_of_files()
        self.initializeParameterNode()
        self.editor.enter()
        self.compare.adjudicating.install_keys()

    def exit(self):
        """Run each time the user leaves the module."""
        self.compare.adjudicating.remove_keys()
        self.editor.exit()
        self.setParameterNode(None)

    def onSceneStartClose(self, caller, event):
        """Stop what works on the scene that goes away."""
        self.setParameterNode(None)
        self.segment.abandon(
            _(
                "The scene was closed, so that the segmentation was stopped. Nothing "
                "was changed."
            )
        )
        self.correct.release()
        self.live.abandon(
            _("The scene was closed, so that the volume is not followed any more.")
        )
        self.compare.close()
        self.train.forget_curves()

    def onSceneChanged(self, caller, event):
        """Show what an emptied or a loaded scene holds, if the module is shown."""
        if self.parent.isEntered:
            self.initializeParameterNode()
            self.editor.enter()

    def onSceneStartSave(self, caller, event):
        """Write down what a saved scene does not state."""
        keep_sizes_of_files()

    def initializeParameterNode(self):
        """Use the scene's parameter node, with a scan chosen if there is one."""
        self.setParameterNode(self.logic.getParameterNode())
        if self._parameterNode.volume is None:
            self._parameterNode.volume = first_scan()

    def setParameterNode(self, node):
        """Tie the widgets to ``node``, and untie them from the one before."""
        if self._parameterNode is not None:
            self._parameterNode.disconnectGui(self._guiTag)
        self._parameterNode = node
        if node is not None:
            self._guiTag = node.connectGui(self.ui)
        for panel in (self.segment, self.correct, self.live, self.compare, self.train):
            panel.use(node)


class MicroUSLogic(ScriptedLoadableModuleLogic):
    """What scripts and other modules call."""

    def getParameterNode(self):
        """Return the scene's parameters."""
        return MicroUSParameterNode(super().getParameterNode())

    def segment(self, volume, segmentation=None, **choices):
        """Segment a volume in a child process and wait, with the window alive.

        See `MicroUSLib.segment.job.Request` for ``choices`` (model, device, frames,
        options). Returns the segmentation node and the segment's ID.
        """
        return run_and_wait(volume, segmentation, **choices)


class MicroUSTest(ScriptedLoadableModuleTest):
    """The self test; runs in the application (Developer mode, Reload and Test)."""

    def setUp(self):
        """Begin with an empty scene."""
        slicer.mrmlScene.Clear()

    def runTest(self):
        """Run every check; skip where the packages were not installed yet."""
        missing = Installer().missing()
        if missing:
            self.skipTest(f"MicroUS: not installed yet: {', '.join(missing)}.")
        for check in self_test.CHECKS:
            self.setUp()
            self.delayDisplay(f"MicroUS: {check.__doc__}")
            check(MicroUSLogic())
        self.delayDisplay("MicroUS: all checks passed")
