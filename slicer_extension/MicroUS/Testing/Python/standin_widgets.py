"""PySide6 in the place of PythonQt, and ctk and qMRML widgets as far as used."""

from __future__ import annotations

import types

import slicer
from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets
from shiboken6 import isValid

shown: list[str] = []  # texts of message boxes, as a user would have read them


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
        if isValid(self):  # the real one observes no longer than it lives
            self._forget_soon()

    def _forget_soon(self):
        QtCore.QTimer.singleShot(0, self, self._forget)  # not after its end

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
