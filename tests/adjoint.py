"""Plain references for transposed convolutions and gradients: scatter, in float64 or integers."""

from __future__ import annotations

import itertools

import numpy as np

from implicitpad import _reference


def scatter(grad, weight, strides, dilations, sizes, groups):
    """out[n, c, i s + t d] += sum_k weight[k, c, t] grad[n, k, i]; sizes of the output given."""
    batch, per_group = grad.shape[0], weight.shape[1]
    out = np.zeros((batch, groups, per_group, *sizes), np.result_type(grad, weight))
    parts = grad.reshape(batch, groups, -1, *grad.shape[2:])
    filters = weight.reshape(groups, -1, *weight.shape[1:])
    for tap in itertools.product(*map(range, weight.shape[2:])):
        at = tuple(
            slice(t * d, t * d + (m - 1) * s + 1, s)
            for t, d, s, m in zip(tap, dilations, strides, grad.shape[2:], strict=True)
        )
        out[(..., *at)] += np.einsum("ngk...,gkc->ngc...", parts, filters[(..., *tap)])
    return out.reshape(batch, -1, *sizes)


def sources(axes):
    """The flat input position that each virtual position reads; -1 for the fill."""
    sizes = [axis.size for axis in axes]
    positions = np.arange(np.prod(sizes)).reshape(1, *sizes)
    return _reference.explicit_pad(positions, axes, np.asarray(-1))[0]


def gradients(axes, groups, fill, grad, input, weight):
    """Gradients for input, weight, bias and per-channel fill of a batched convolution."""
    strides, dilations = [a.stride for a in axes], [a.dilation for a in axes]
    virtual = scatter(grad, weight, strides, dilations, [a.virtual for a in axes], groups)
    rows, where = virtual.reshape(*virtual.shape[:2], -1), sources(axes).ravel()
    folded = np.zeros((*input.shape[:2], int(np.prod(input.shape[2:])) + 1))
    np.add.at(folded, (..., where), rows)  # -1, the fill, is the last
    grad_input = folded[..., :-1].reshape(input.shape)

    padded = _reference.explicit_pad(input, axes, fill)
    seen = _reference.windows(padded, axes)
    seen = seen.reshape(seen.shape[0], groups, -1, *seen.shape[2:])
    parts = grad.reshape(grad.shape[0], groups, -1, *grad.shape[2:])
    out, kernel = "xyz"[: len(axes)], "uvw"[: len(axes)]
    grad_weight = np.einsum(f"ngk{out},ngc{out}{kernel}->gkc{kernel}", parts, seen)
    bias = grad.sum((0, *range(2, grad.ndim)))
    return grad_input, grad_weight.reshape(weight.shape), bias, folded[..., -1].sum(0)
