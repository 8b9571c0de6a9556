"""What Slicer's parameterNodeWrapper refuses, the stand-in refuses too."""

from typing import Annotated, Union

import pytest
import slicer
from standin_parameters import Choice, WithinRange, parameter_node_wrapper

Drawn = Union[slicer.vtkMRMLSegmentationNode, slicer.vtkMRMLScalarVolumeNode]  # noqa: UP007


def wrapped(kind, **members):
    """Return a wrapper with one parameter ``value`` of the given type."""
    cls = type("Parameters", (), {"__annotations__": {"value": kind}, **members})
    node = slicer.vtkMRMLScriptedModuleNode()
    return parameter_node_wrapper(cls)(slicer.mrmlScene.AddNode(node))


def test_union_of_node_types_without_none_cannot_be_opened():
    with pytest.raises(TypeError, match="Unable to write value 'None'"):
        wrapped(Drawn)


def test_union_with_none_and_a_single_node_type_begin_as_none():
    assert wrapped(Drawn | None).value is None
    assert wrapped(slicer.vtkMRMLScalarVolumeNode).value is None


def test_node_of_another_type_is_refused(make_volume):
    volume = make_volume()
    parameters = wrapped(slicer.vtkMRMLSegmentationNode)
    with pytest.raises(TypeError, match="Unable to write"):
        parameters.value = volume
    either = wrapped(Drawn | None)
    either.value = volume
    assert either.value is volume


@pytest.mark.parametrize("wrong", ["3", None, True, 2.5])
def test_a_number_takes_numbers_only(wrong):
    with pytest.raises(TypeError):
        wrapped(int).value = wrong


def test_range_and_choice_are_kept():
    number = wrapped(Annotated[int, WithinRange(1, 5)], value=1)
    with pytest.raises(ValueError, match="not within 1 and 5"):
        number.value = 6
    with pytest.raises(ValueError, match="not within 1 and 5"):
        wrapped(Annotated[int, WithinRange(1, 5)])  # the default is 0
    word = wrapped(Annotated[str, Choice(["a", "b"])], value="a")
    with pytest.raises(ValueError, match="not one of"):
        word.value = "c"


def test_type_that_cannot_be_kept_is_refused():
    with pytest.raises(Exception, match="Unable to create serializer"):
        wrapped(object)


def test_widget_of_an_unknown_parameter_is_refused():
    import qt

    box = qt.QSpinBox()
    box.setProperty("SlicerParameterName", "other")
    ui = type("Ui", (), {})()
    ui.box = box
    with pytest.raises(ValueError, match="Cannot find a param"):
        wrapped(int).connectGui(ui)


def test_modified_event_writes_the_widget():
    import qt

    box = qt.QSpinBox()
    box.setProperty("SlicerParameterName", "value")
    ui = type("Ui", (), {})()
    ui.box = box
    parameters = wrapped(int)
    parameters.connectGui(ui)
    parameters.parameterNode.SetParameter("value", "7")
    assert box.value() == 7


def test_module_opens_with_every_parameter_written(widget):
    node = widget._parameterNode.parameterNode
    for name in ("volume", "segmentation", "expert", "nonexpert", "model", "scope"):
        assert node.HasParameter(name), name
    assert widget._parameterNode.expert is None
