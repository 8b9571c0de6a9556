"""What the Slicer application adds to slicer-core, as small stand-ins of ours.

slicer-core is Slicer's own C++ (MRML, logics) and its ``slicer/util.py``; it has no
Qt. Here PySide6 plays PythonQt (properties as attributes), and the widgets, the
application object, ScriptedLoadableModule and parameterNodeWrapper are imitated as
far as the module uses them. What is imitated is not proven: see docs/slicer.md.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
import types
from pathlib import Path

import slicer
from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets
from slicer import util

feature = importlib.import_module("__feature__")  # PySide6 makes it importable

MODULE = Path(__file__).resolve().parents[2]
TRUE_PROPERTY = 2

# PySide6 6.12 gives one reference to None too many back with every slot and every
# processEvents; before Python 3.12 None can run out of them, and Python aborts.
SPARE = [None] * 3_000_000

shown: list[str] = []  # texts of message boxes, as a user would have read them


# --- qt and ctk ------------------------------------------------------------------
def make_qt() -> types.ModuleType:
    qt = types.ModuleType("qt")
    for part in (QtCore, QtGui, QtWidgets, QtUiTools):
        for name in dir(part):
            if not name.startswith("_"):
                setattr(qt, name, getattr(part, name))
    qt.Signal = QtCore.Signal
    return qt


def plain(name, kind, default, notify=None):
    """A Qt property kept in an attribute of the same name with an underscore."""

    def read(self):
        return getattr(self, f"_{name}", default)

    def write(self, value):
        if value != read(self):
            setattr(self, f"_{name}", value)
            if notify is not None:
                getattr(self, notify).emit(value)

    return QtCore.Property(kind, read, write)


class ctkCollapsibleButton(QtWidgets.QGroupBox):
    contentsCollapsed = QtCore.Signal(bool)
    text = plain("text", str, "")
    collapsed = plain("collapsed", bool, False, "contentsCollapsed")


class ctkPathLineEdit(QtWidgets.QLineEdit):
    currentPathChanged = QtCore.Signal(str)
    currentPath = plain("currentPath", str, "", "currentPathChanged")
    settingKey = plain("settingKey", str, "")


class ctkMessageBox:
    """Records what would be shown; the user presses OK."""

    answer = QtWidgets.QMessageBox.Ok

    def __init__(self, parent=None):
        self.text = ""
        self.standardButtons = None

    def __getattr__(self, name):
        return lambda *_: None

    def exec_(self):
        shown.append(self.text)
        return self.answer

    exec = exec_


# --- qMRML widgets -------------------------------------------------------------
class qMRMLWidget(QtWidgets.QWidget):
    isEntered = True

    def setMRMLScene(self, scene):
        for selector in self.findChildren(qMRMLNodeComboBox):
            selector.setMRMLScene(scene)


class qMRMLNodeComboBox(QtWidgets.QComboBox):
    currentNodeChanged = QtCore.Signal(object)
    nodeTypes = plain("nodeTypes", "QStringList", [])
    noneEnabled = plain("noneEnabled", bool, False)
    noneDisplay = plain("noneDisplay", str, "")
    addEnabled = plain("addEnabled", bool, True)
    removeEnabled = plain("removeEnabled", bool, True)
    renameEnabled = plain("renameEnabled", bool, False)
    showChildNodeTypes = plain("showChildNodeTypes", bool, True)
    selectNodeUponCreation = plain("selectNodeUponCreation", bool, True)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._node = None
        self._scene = None

    def setMRMLScene(self, scene):
        if scene is not self._scene:
            self._scene = scene
            removed = slicer.vtkMRMLScene.NodeAboutToBeRemovedEvent
            scene.AddObserver(removed, self._on_removed)

    def _on_removed(self, scene, event):
        QtCore.QTimer.singleShot(0, self._forget)

    def _forget(self):
        if self._node is not None and not slicer.mrmlScene.IsNodePresent(self._node):
            self.setCurrentNode(None)

    def currentNode(self):
        return self._node

    def setCurrentNode(self, node):
        if node is not self._node:
            self._node = node
            QtWidgets.QComboBox.clear(self)
            QtWidgets.QComboBox.addItem(self, node.GetName() if node else "None")
            self.currentNodeChanged.emit(node)


WIDGETS = (
    *(ctkCollapsibleButton, ctkPathLineEdit),
    *(qMRMLWidget, qMRMLNodeComboBox),
)


def load_ui(path):
    loader = QtUiTools.QUiLoader()
    for widget in WIDGETS:
        loader.registerCustomWidget(widget)
    file = QtCore.QFile(str(path))
    assert file.open(QtCore.QFile.ReadOnly), path
    widget = loader.load(file)
    file.close()
    assert widget is not None, loader.errorString()
    return widget


def child_widget_variables(widget):
    found = types.SimpleNamespace()
    for child in widget.findChildren(QtCore.QObject):
        if child.objectName():
            setattr(found, child.objectName(), child)
    return found


# --- the application -------------------------------------------------------------
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


# --- parameterNodeWrapper ------------------------------------------------------
def parameter_node_wrapper(cls):
    """Keep annotated attributes in a scripted module node, and tie them to widgets."""
    kinds = dict(cls.__annotations__)
    defaults = {name: getattr(cls, name) for name in kinds if hasattr(cls, name)}

    class Wrapper(cls):
        def __init__(self, node):
            object.__setattr__(self, "parameterNode", node)
            object.__setattr__(self, "_guis", {})

        def __getattribute__(self, name):
            if name not in kinds:
                return object.__getattribute__(self, name)
            node = self.parameterNode
            if "vtkMRML" in str(kinds[name]):
                return node.GetNodeReference(name)
            text = node.GetParameter(name)
            default = defaults.get(name, "")
            if not text:
                return default
            if isinstance(default, bool):
                return text == "True"
            return type(default)(text)

        def __setattr__(self, name, value):
            if "vtkMRML" in str(kinds[name]):
                self.parameterNode.SetNodeReferenceID(
                    name, value.GetID() if value is not None else None
                )
            else:
                self.parameterNode.SetParameter(name, str(value))
            self._show(name)

        def _show(self, name):
            for widgets in self._guis.values():
                if name in widgets:
                    write(widgets[name], getattr(self, name))

        def connectGui(self, ui):
            widgets = {}
            for widget in vars(ui).values():
                name = widget.property("SlicerParameterName")
                if name:
                    assert name in kinds, name
                    widgets[name] = widget
            tag = len(self._guis) + 1
            self._guis[tag] = widgets
            for name, widget in widgets.items():
                if type(widget) is QtWidgets.QComboBox:
                    [choice] = kinds[name].__metadata__
                    widget.clear()
                    widget.addItems([str(value) for value in choice.values[0]])
                write(widget, getattr(self, name))
                changed(widget).connect(
                    lambda *_, n=name, w=widget, t=tag: (
                        self._take(n, w) if t in self._guis else None
                    )
                )
            return tag

        def _take(self, name, widget):
            value = read(widget)
            if value != getattr(self, name):
                setattr(self, name, value)

        def disconnectGui(self, tag):
            self._guis.pop(tag, None)

    Wrapper.__name__ = cls.__name__
    return Wrapper


def changed(widget):
    if isinstance(widget, qMRMLNodeComboBox):
        return widget.currentNodeChanged
    if isinstance(widget, ctkPathLineEdit):
        return widget.currentPathChanged
    if isinstance(widget, QtWidgets.QComboBox):
        return widget.currentTextChanged
    if isinstance(widget, QtWidgets.QAbstractButton):
        return widget.toggled
    if isinstance(widget, QtWidgets.QLineEdit):
        return widget.textChanged
    return widget.valueChanged


def read(widget):
    if isinstance(widget, qMRMLNodeComboBox):
        return widget.currentNode()
    if isinstance(widget, ctkPathLineEdit):
        return Path(widget.property("currentPath"))
    if isinstance(widget, QtWidgets.QComboBox):
        return widget.currentText()
    if isinstance(widget, QtWidgets.QAbstractButton):
        return widget.isChecked()
    if isinstance(widget, QtWidgets.QLineEdit):
        return widget.text()
    return widget.value()


def write(widget, value):
    if isinstance(widget, qMRMLNodeComboBox):
        widget.setCurrentNode(value)
    elif isinstance(widget, ctkPathLineEdit):
        widget.setProperty("currentPath", str(value))
    elif isinstance(widget, QtWidgets.QComboBox):
        widget.setCurrentText(str(value))
    elif isinstance(widget, QtWidgets.QAbstractButton):
        widget.setChecked(value)
    elif isinstance(widget, QtWidgets.QLineEdit):
        widget.setText(value)
    else:
        widget.setValue(value)


class _Annotation:
    def __init__(self, *values):
        self.values = values


# --- putting it in place ---------------------------------------------------------
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
    slicer.qMRMLNodeComboBox = qMRMLNodeComboBox
    util.loadUI = load_ui
    util.childWidgetVariables = child_widget_variables
    window = QtWidgets.QMainWindow()  # errors are shown only where there is one
    util.mainWindow = lambda: window
    editors: dict[str, SegmentEditor] = {}
    util.getModuleWidget = lambda name: editors.setdefault(name, SegmentEditor())
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
    wrapper = types.ModuleType("slicer.parameterNodeWrapper")
    wrapper.parameterNodeWrapper = parameter_node_wrapper
    wrapper.WithinRange = wrapper.Choice = wrapper.Default = _Annotation
    sys.modules[wrapper.__name__] = wrapper

    sys.path.insert(0, str(MODULE))
    for path in (MODULE / "MicroUSLib").glob("*.py"):
        feature.set_selection(TRUE_PROPERTY, f"MicroUSLib.{path.stem}")
    feature.set_selection(TRUE_PROPERTY, "MicroUS")
    # Named too, or they would see what the module before them saw.
    for path in Path(__file__).parent.glob("*.py"):
        feature.set_selection(0, path.stem)
