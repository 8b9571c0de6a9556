"""parameterNodeWrapper: annotated attributes in a node, tied to widgets."""

from __future__ import annotations

from pathlib import Path

from PySide6 import QtWidgets
from standin_widgets import ctkPathLineEdit, qMRMLNodeComboBox


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


class Annotation:
    def __init__(self, *values):
        self.values = values
