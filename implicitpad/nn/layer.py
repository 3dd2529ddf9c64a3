"""What a layer is, and layers one after the other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from ..padded.array import PaddedArray
from ..padded.gradients import PaddedGrad, mapped_backward
from .layout import Layout, Row, row

Parameters = dict[tuple["Layer", str], Any]
Pullback = Callable[[Any], tuple[Any, Parameters]]


def added(a: Parameters, b: Parameters) -> Parameters:
    """Gradients of parameters; a layer used twice sums them."""
    return {**a, **{key: a[key] + value if key in a else value for key, value in b.items()}}


class Layer(ABC):
    """A function of padded or ordinary arrays (N, C, *spatial) that can be planned from shapes."""

    @abstractmethod
    def __call__(self, x: Any) -> Any:
        """Apply the layer."""

    def follow(self, layout: Layout) -> Layout:
        """The layout of the output; an error where the layer does not fit."""
        return layout

    def work(self, layout: Layout) -> Fraction | int:
        """Multiply-adds for each position of the output, whose layout this is."""
        return 0

    def trace(self, layout: Layout, rows: list[Row] | None = None) -> Layout:
        """`follow`, with a row for each layer appended to `rows`."""
        layout = self.follow(layout)
        if rows is not None:
            rows.append(row(repr(self), layout, self.work(layout)))
        return layout

    def linearize(self, x: Any) -> tuple[Any, Pullback]:
        """The output, and the function that takes its gradient back.

        ``pullback(grad)`` takes the gradient of the output and returns that of the input, and a
        dict of the gradients of parameters, keyed by (layer, name). The gradient of a PaddedArray
        is a `PaddedGrad`, that of an ordinary array is an ordinary array.
        """
        if isinstance(x, PaddedArray):
            return self.gradient_rule(x)
        y, back = self.gradient_rule(PaddedArray(x))
        padded = isinstance(y, PaddedArray)
        result = y.materialize() if padded else y

        def pullback(grad: Any) -> tuple[Any, Parameters]:
            if padded:
                grad = PaddedGrad(grad, np.zeros_like(grad, shape=y.fill.shape))
            found, parameters = back(grad)
            return found.core, parameters

        return result, pullback

    def gradient_rule(self, x: PaddedArray) -> tuple[Any, Pullback]:
        """`linearize` of a PaddedArray: what a layer of one's own adds to have a gradient."""
        raise TypeError(
            f"nn.{type(self).__name__}: this layer has no gradient; define its gradient_rule."
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Sequential(Layer):
    """Layers applied one after the other.

    Parameters
    ----------
    *layers : Layer or callable
        Callables that change no shape, such as ``numpy.tanh``, are layers too.

    Examples
    --------
    The classical shrinking network, its border carried along instead of written in each layer:

    >>> import numpy as np
    >>> import implicitpad as ip
    >>> net = ip.nn.Sequential(*[ip.nn.Conv2d(1, 1, 5, rng=0) for _ in range(3)])
    >>> image = np.zeros((1, 1, 32, 32), np.float32)
    >>> net(image).shape, net(ip.PaddedArray(image, 6)).shape
    ((1, 1, 20, 20), (1, 1, 32, 32))
    """

    def __init__(self, *layers: Any) -> None:
        self.layers = tuple(
            [layer if isinstance(layer, Layer) else Pointwise(layer) for layer in layers]
        )

    def __call__(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x)
        return x

    def linearize(self, x: Any) -> tuple[Any, Pullback]:
        backs = []
        for layer in self.layers:
            x, back = layer.linearize(x)
            backs.append(back)

        def pullback(grad: PaddedGrad) -> tuple[PaddedGrad, Parameters]:
            found: Parameters = {}
            for back in reversed(backs):
                grad, more = back(grad)
                found = added(found, more)
            return grad, found

        return x, pullback

    def trace(self, layout: Layout, rows: list[Row] | None = None) -> Layout:
        for layer in self.layers:
            layout = layer.trace(layout, rows)
        return layout

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __getitem__(self, index: Any) -> Any:
        return Sequential(*self.layers[index]) if isinstance(index, slice) else self.layers[index]

    def __repr__(self) -> str:
        return f"Sequential({', '.join(map(repr, self.layers))})"


class Elementwise(Layer):
    """A function of each element alone, with its derivative."""

    @abstractmethod
    def slope_at(self, x: Any) -> Any:
        """The derivative, of an ordinary array."""

    def gradient_rule(self, x: PaddedArray) -> tuple[Any, Pullback]:
        return self(x), lambda grad: (mapped_backward(grad, x, self.slope_at), {})


class Pointwise(Elementwise):
    """Any function that acts on each element alone, and on padded arrays as on ordinary ones.

    Parameters
    ----------
    function : callable
        Such as ``numpy.sin``.
    derivative : callable, optional
        Such as ``numpy.cos``; without it the layer has no gradient.
    """

    def __init__(self, function: Any, derivative: Any = None) -> None:
        if not callable(function):
            raise TypeError(
                f"nn.Pointwise: a layer must be callable, got {function!r}; pass a function."
            )
        self.function, self.derivative = function, derivative

    def __call__(self, x: Any) -> Any:
        return self.function(x)

    def slope_at(self, x: Any) -> Any:
        return self.derivative(x)

    def gradient_rule(self, x: PaddedArray) -> tuple[Any, Pullback]:
        if self.derivative is None:
            raise TypeError(
                f"nn.Pointwise: the derivative of {self!r} is not known; wrap it in "
                "nn.Pointwise(function, derivative)."
            )
        return super().gradient_rule(x)

    def __repr__(self) -> str:
        return getattr(self.function, "__name__", type(self.function).__name__)
