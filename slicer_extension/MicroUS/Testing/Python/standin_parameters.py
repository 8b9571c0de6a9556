"""parameterNodeWrapper as documented: typed attributes in a node, tied to widgets.

Derived from the Developer Guide's page *Parameter nodes* and from what the wrapper of
Slicer 5.8 to 5.12 was seen to refuse. `test_parameter_rules.py` holds a test for each
rule, so that what the module is proven against is written down:

- every parameter is written when the wrapper is made, node parameters as None;
- None goes only where the type allows it: a single node type does, a Union of node
  types only with None among its members;
- a value of another type, outside `WithinRange` or not in `Choice` is refused;
- only names that are parameters can be tied to a widget;
- a Modified event of the node writes every tied widget again.
"""

from __future__ import annotations

import types
import typing
from pathlib import Path

import slicer
import vtk
from PySide6 import QtWidgets
from standin_widgets import ctkPathLineEdit, qMRMLNodeComboBox


class WithinRange:
    def __init__(self, low, high):
        self.low, self.high = low, high

    def validate(self, value):
        if not self.low <= value <= self.high:
            raise ValueError(f"Value {value} is not within {self.low} and {self.high}")


class Choice:
    def __init__(self, choices):
        self.choices = list(choices)

    def validate(self, value):
        if value not in self.choices:
            raise ValueError(f"Value {value!r} is not one of {self.choices}")


class Default:
    def __init__(self, value):
        self.value = value


def _is_node(kind):
    return isinstance(kind, type) and issubclass(kind, slicer.vtkMRMLNode)


class _Parameter:
    """One attribute: its type, its checks, and where the node keeps it."""

    def __init__(self, name, annotated, default):
        self.name = name
        self.validators = []
        kind = annotated
        if typing.get_origin(annotated) is typing.Annotated:
            kind, *notes = typing.get_args(annotated)
            self.validators = [note for note in notes if hasattr(note, "validate")]
        is_union = typing.get_origin(kind) in (typing.Union, types.UnionType)
        self.kinds = typing.get_args(kind) if is_union else (kind,)
        self.is_union = is_union
        for member in self.kinds:
            if member not in (int, float, str, bool, Path, type(None)) and not (
                _is_node(member)
            ):
                raise Exception(f"Unable to create serializer for type: {member}")
        if default is None and not any(_is_node(member) for member in self.kinds):
            default = self.kinds[0]()
        self.default = default

    @property
    def is_node(self):
        return any(_is_node(kind) for kind in self.kinds)

    def check(self, value):
        if value is None:
            # A single node type takes None; a Union must name it.
            if self.is_node and (not self.is_union or type(None) in self.kinds):
                return
            raise TypeError(f"Unable to write value 'None' of type '{type(None)}'")
        if not isinstance(value, tuple(k for k in self.kinds if k is not type(None))):
            raise TypeError(f"Unable to write value '{value}' of type '{type(value)}'")
        if isinstance(value, bool) and bool not in self.kinds:
            raise TypeError(f"Unable to write value '{value}' of type '{type(value)}'")
        for validator in self.validators:
            validator.validate(value)

    def write(self, node, value):
        self.check(value)
        with slicer.util.NodeModify(node):
            if self.is_node:
                node.SetParameter(self.name, "")
                node.SetNodeReferenceID(self.name, value.GetID() if value else None)
            else:
                node.SetParameter(self.name, str(value))

    def read(self, node):
        if self.is_node:
            return node.GetNodeReference(self.name)
        text = node.GetParameter(self.name)
        return text == "True" if self.kinds[0] is bool else self.kinds[0](text)


def parameter_node_wrapper(cls):
    """Keep annotated attributes in a scripted module node, and tie them to widgets."""
    hints = typing.get_type_hints(cls, include_extras=True)
    parameters = {
        name: _Parameter(name, hint, getattr(cls, name, None))
        for name, hint in hints.items()
    }

    def init(self, node):
        self.parameterNode = node
        self._guis = {}
        self._is_showing = False
        for parameter in parameters.values():
            if not node.HasParameter(parameter.name):
                parameter.write(node, parameter.default)
        # The real one observes as long as it lives, whatever is disconnected.
        self._tag = node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._show)

    def show(self, *_):
        if self._is_showing:
            return
        self._is_showing = True
        try:
            for widgets in self._guis.values():
                for name, widget in widgets.items():
                    write(widget, getattr(self, name))
        finally:
            self._is_showing = False

    def connect_gui(self, ui):
        widgets = {}
        for widget in vars(ui).values():
            name = widget.property("SlicerParameterName")
            if name:
                if name not in parameters:
                    raise ValueError(f"Cannot find a param with the given name: {name}")
                widgets[name] = widget
        tag = len(self._guis) + 1
        self._guis[tag] = widgets
        for name, widget in widgets.items():
            if type(widget) is QtWidgets.QComboBox:
                [choice] = parameters[name].validators
                widget.clear()
                widget.addItems([str(value) for value in choice.choices])
            write(widget, getattr(self, name))
            changed(widget).connect(
                lambda *_, n=name, w=widget, t=tag: (
                    self._take(n, w) if t in self._guis else None
                )
            )
        return tag

    def take(self, name, widget):
        if not self._is_showing and read(widget) != getattr(self, name):
            setattr(self, name, read(widget))

    cls.__init__ = init
    cls._show, cls._take, cls.connectGui = show, take, connect_gui
    cls.disconnectGui = lambda self, tag: self._guis.pop(tag, None)
    for name, parameter in parameters.items():
        setattr(
            cls,
            name,
            property(
                lambda self, p=parameter: p.read(self.parameterNode),
                lambda self, value, p=parameter: p.write(self.parameterNode, value),
            ),
        )
    return cls


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
