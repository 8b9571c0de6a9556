"""What the Slicer application adds to slicer-core, as small stand-ins of ours.

slicer-core is Slicer's own C++ (MRML, logics) and its ``slicer/util.py``; it has no
Qt. Here PySide6 plays PythonQt (properties as attributes), and the widgets, the
application object, ScriptedLoadableModule and parameterNodeWrapper are imitated as
far as the module uses them. What is imitated is not proven: see docs/slicer.md.
"""

from __future__ import annotations

import ctypes
import importlib
import sys
import tempfile
import types
from pathlib import Path

import slicer
from PySide6 import QtCore, QtWidgets
from slicer import util
from standin_parameters import Choice, Default, WithinRange, parameter_node_wrapper
from standin_widgets import (
    child_widget_variables,
    ctkCollapsibleButton,
    ctkMessageBox,
    ctkPathLineEdit,
    load_ui,
    make_qt,
    qMRMLNodeComboBox,
    qMRMLWidget,
)

feature = importlib.import_module("__feature__")  # PySide6 makes it importable

MODULE = Path(__file__).resolve().parents[2]
TRUE_PROPERTY = 2

# PySide6 6.12 gives one reference to None too many back with every slot and every
# processEvents; before Python 3.12 None can run out of them, and Python aborts.
SPARE = [None] * 3_000_000
ctypes.pythonapi.Py_IncRef(ctypes.py_object(SPARE))  # also while Python ends


class Application:
    applicationName = "3D Slicer"
    temporaryPath = tempfile.gettempdir()

    def testingEnabled(self):
        return False

    def processEvents(self):
        QtWidgets.QApplication.processEvents()

    def setOverrideCursor(self, _):
        pass

    def restoreOverrideCursor(self):
        pass

    def layoutManager(self):
        return None

    def moduleManager(self):
        return types.SimpleNamespace(connect=lambda *_: None)

    def connect(self, signal, slot):
        assert signal == "startupCompleted()"
        self.started = slot

    def userSettings(self):
        return QtCore.QSettings("microus-test", "slicer")

    def commandOptions(self):
        return types.SimpleNamespace(testingEnabled=False)


class SegmentEditor:
    """The Segment Editor's widget, over Slicer's real editing logic and history."""

    def __init__(self):
        self.parameterSetNode = None
        self.editor = self
        self.saves = 0

    def selectParameterNode(self):
        self.parameterSetNode = slicer.mrmlScene.AddNewNodeByClass(
            "vtkMRMLSegmentEditorNode"
        )
        self.logic = slicer.vtkSlicerSegmentEditorLogic()
        self.logic.SetMRMLScene(slicer.mrmlScene)
        self.logic.SetSegmentEditorNode(self.parameterSetNode)

    def segmentationNode(self):
        return self.parameterSetNode.GetSegmentationNode()

    def setSegmentationNode(self, node):
        self.parameterSetNode.SetAndObserveSegmentationNode(node)

    def setSourceVolumeNode(self, node):
        self.parameterSetNode.SetAndObserveSourceVolumeNode(node)

    def saveStateForUndo(self):
        self.saves += 1
        self.logic.SaveStateForUndo()

    def undo(self):
        self.logic.Undo()


class qMRMLSegmentEditorWidget(SegmentEditor, QtWidgets.QWidget):
    """The editor as a widget: its calls, over the same real editing logic."""

    def __init__(self, parent=None):
        QtWidgets.QWidget.__init__(self, parent)
        SegmentEditor.__init__(self)
        self.logic = slicer.vtkSlicerSegmentEditorLogic()
        self.is_observing = False

    def setMaximumNumberOfUndoStates(self, number):
        self.logic.SetMaximumNumberOfUndoStates(number)

    def setMRMLScene(self, scene):
        self.logic.SetMRMLScene(scene)

    def setMRMLSegmentEditorNode(self, node):
        self.parameterSetNode = node
        self.logic.SetSegmentEditorNode(node)

    def segmentationNode(self):
        node = self.parameterSetNode
        return node.GetSegmentationNode() if node is not None else None

    def setActiveEffect(self, effect):
        assert effect is None

    def setupViewObservations(self):
        self.is_observing = True

    def removeViewObservations(self):
        self.is_observing = False


# --- ScriptedLoadableModule ----------------------------------------------------
class ScriptedLoadableModule:
    def __init__(self, parent):
        self.parent = parent
        self.moduleName = type(self).__name__

    def resourcePath(self, name):
        return str(MODULE / "Resources" / name)


class ScriptedLoadableModuleWidget:
    def __init__(self, parent=None):
        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.parent = parent or qMRMLWidget()
        if self.parent.layout() is None:
            QtWidgets.QVBoxLayout(self.parent)
        self.layout = self.parent.layout()

    def setup(self):
        pass

    def resourcePath(self, name):
        return str(MODULE / "Resources" / name)


class ScriptedLoadableModuleLogic:
    def __init__(self, parent=None):
        self.moduleName = type(self).__name__.removesuffix("Logic")

    def getParameterNode(self):
        node = slicer.mrmlScene.GetSingletonNode(
            self.moduleName, "vtkMRMLScriptedModuleNode"
        )
        if node is None:
            node = slicer.vtkMRMLScriptedModuleNode()
            node.SetSingletonTag(self.moduleName)
            node.SetName(self.moduleName)
            node.SetModuleName(self.moduleName)
            node = slicer.mrmlScene.AddNode(node)
        return node


class ScriptedLoadableModuleTest(__import__("unittest").TestCase):
    def delayDisplay(self, text, *_):
        print(text)


def install() -> None:
    """Make ``import qt, ctk, slicer`` answer as inside the application."""
    QtWidgets.QApplication.instance() or QtWidgets.QApplication([])
    sys.modules["qt"] = make_qt()
    ctk = types.ModuleType("ctk")
    for widget in (ctkCollapsibleButton, ctkPathLineEdit, ctkMessageBox):
        setattr(ctk, widget.__name__, widget)
    sys.modules["ctk"] = ctk

    scene = slicer.mrmlScene = slicer.vtkMRMLScene()
    logic = slicer.vtkSlicerApplicationLogic()
    logic.SetMRMLScene(scene)
    slicer._application_logic = logic
    # It takes its tables along when it goes, so something must hold it.
    colors = slicer._color_logic = slicer.vtkMRMLColorLogic()
    colors.SetMRMLScene(scene)
    colors.AddDefaultColorNodes()
    logic.SetModuleLogic("Colors", colors)
    slicer.modules = types.SimpleNamespace()
    for name, kind in {
        "Volumes": slicer.vtkSlicerVolumesLogic,
        "Segmentations": slicer.vtkSlicerSegmentationsModuleLogic,
        "Sequences": slicer.vtkSlicerSequencesLogic,
    }.items():
        module_logic = kind()
        module_logic.SetMRMLApplicationLogic(logic)
        module_logic.SetMRMLScene(scene)
        logic.SetModuleLogic(name, module_logic)
        holder = types.SimpleNamespace(logic=lambda x=module_logic: x)
        setattr(slicer.modules, name.lower(), holder)

    slicer.util = util
    slicer.app = Application()
    slicer.qMRMLWidget = qMRMLWidget
    slicer.qMRMLSegmentEditorWidget = qMRMLSegmentEditorWidget
    slicer.qMRMLNodeComboBox = qMRMLNodeComboBox
    util.loadUI = load_ui
    util.childWidgetVariables = child_widget_variables
    window = QtWidgets.QMainWindow()  # errors are shown only where there is one
    util.mainWindow = lambda: window
    editors: dict[str, SegmentEditor] = {}

    def module_widget(name):
        if name in editors:
            return editors[name]
        if name == "SegmentEditor":
            return editors.setdefault(name, SegmentEditor())
        editors[name] = getattr(importlib.import_module(name), f"{name}Widget")()
        editors[name].setup()
        return editors[name]

    util.getModuleWidget = module_widget
    slicer.segment_editors = editors

    base = types.ModuleType("slicer.ScriptedLoadableModule")
    for kind in (
        ScriptedLoadableModule,
        ScriptedLoadableModuleWidget,
        ScriptedLoadableModuleLogic,
        ScriptedLoadableModuleTest,
    ):
        setattr(base, kind.__name__, kind)
    sys.modules[base.__name__] = base
    i18n = types.ModuleType("slicer.i18n")
    i18n.tr = lambda text: text
    i18n.translate = lambda context, text: text
    sys.modules[i18n.__name__] = i18n
    wrapper = types.ModuleType("slicer.parameterNodeWrapper")
    wrapper.parameterNodeWrapper = parameter_node_wrapper
    for kind in (Choice, Default, WithinRange):
        setattr(wrapper, kind.__name__, kind)
    sys.modules[wrapper.__name__] = wrapper

    sys.path.insert(0, str(MODULE))
    for path in (MODULE / "MicroUSLib").rglob("*.py"):
        name = ".".join(path.relative_to(MODULE).with_suffix("").parts)
        feature.set_selection(TRUE_PROPERTY, name)
    feature.set_selection(TRUE_PROPERTY, "MicroUS")
    # Named too, or they would see what the module before them saw.
    for path in Path(__file__).parent.glob("*.py"):
        feature.set_selection(0, path.stem)
