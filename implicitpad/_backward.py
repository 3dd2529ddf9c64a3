"""Gradients: the functions conv1d_backward, conv2d_backward, conv3d_backward."""

from __future__ import annotations

from typing import Any

from ._backend import as_array, backend_of
from ._geometry_transpose import backward_geometry


def _make(rank):
    def f(grad_output, input, weight, *, stride=1, padding=0, dilation=1, groups=1, fill_value=None, padding_mode="constant", needs=("input","weight","bias","fill_value")):
        return _conv_backward(f"conv{rank}d_backward", rank, grad_output, input, weight, stride, padding, dilation, groups, fill_value, padding_mode, needs)
    return f
conv1d_backward, conv2d_backward, conv3d_backward = map(_make, (1,2,3))

def _conv_backward(function, rank, grad_output, input, weight, stride, padding, dilation, groups, fill_value, padding_mode, needs):
    backend = backend_of(function, grad_output=grad_output, input=input, weight=weight)
    grad_output = as_array(function, "grad_output", grad_output)
    input = as_array(function, "input", input)
    weight = as_array(function, "weight", weight)
    geometry = backward_geometry(function, rank, grad_output, input, weight, needs, stride=stride,
        padding=padding, dilation=dilation, groups=groups, fill_value=fill_value, padding_mode=padding_mode)
    from . import _numpy_gradient
    return _numpy_gradient.conv_backward(geometry, grad_output, input, weight, needs)
