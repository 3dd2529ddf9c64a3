"""How a padded array gets its border: found in an explicit array, moved, continued, cropped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .._arguments import padding_widths
from .._backend import as_array, backend_of
from .fills import as_fill, bounds, merged, refuse, tiled
from .indexing import sliced
from .spans import Span, within

if TYPE_CHECKING:
    from .array import PaddedArray


class Borders:
    """Methods of `PaddedArray` that move what is core and what is border."""

    __slots__ = ()

    def extend(self: Any, padding: Any) -> PaddedArray:
        """Continue the border by its own fill; negative widths crop. Nothing is copied.

        Parameters
        ----------
        padding : int, ints or (before, after) pairs
            As for `conv2d`.
        """
        widths = padding_widths("PaddedArray.extend", padding, self.rank)
        x = self
        for axis, (before, after) in enumerate(widths):
            if before < -self._spans[axis].total - min(after, 0):
                raise ValueError(
                    f"PaddedArray.extend: padding={padding!r} crops more than the "
                    f"{self._spans[axis].total} positions of spatial axis {axis}; crop less."
                )
            x = sliced(x, axis, -before, self._spans[axis].total + after, 1)
        return x

    def recore(self: Any, box: Sequence[tuple[int, int]]) -> PaddedArray:
        """The same virtual array with its core on positions start to stop - 1, which hold it."""
        name = "PaddedArray.recore"
        for axis, (span, (start, stop)) in enumerate(zip(self._spans, box, strict=True)):
            if not 0 <= start <= stop <= span.total or (
                span.size and not (start <= span.before and span.stop <= stop)
            ):
                refuse(
                    name,
                    f"box must hold the core and lie in the virtual array, got {(start, stop)} on "
                    f"spatial axis {axis} with core {(span.before, span.stop)} of {span.total}",
                    "pass a larger box",
                )
        spans = [Span.of(*ends, span.total) for ends, span in zip(box, self._spans, strict=True)]
        return self._make(self._read(box), spans, self._fill)

    def trim(self: Any) -> PaddedArray:
        """Move what equals the fill at the rim of the core into the border.

        A face goes if every sample and channel equals the fill in every bit. Equal phases of a
        periodic fill are merged. The core is a view. Its result follows from values, so a gradient
        must not be taken through it.
        """
        box = [(span.before, span.stop) for span in self._spans]
        ends = bounds(self._core, tiled(self._fill, box), self.rank, 0)
        x = self
        for axis, (start, stop) in enumerate(ends):
            span = x._spans[axis]
            index = (..., slice(start, stop)) + (slice(None),) * (self.rank - axis - 1)
            moved = Span.of(span.before + start, span.before + stop, span.total)
            spans = (*x._spans[:axis], moved, *x._spans[axis + 1 :])
            x = self._make(x._core[index], spans, x._fill)
        return self._make(x._core, x._spans, merged(x._fill, self.rank), True)

    @classmethod
    def infer(
        cls: Any,
        array: Any,
        fill: Any = None,
        tolerance: float = 0,
        *,
        batched: bool = True,
    ) -> PaddedArray:
        """Find the constant border of an explicit array.

        Parameters
        ----------
        array : array, shape (N, C, *spatial), or (C, *spatial) with ``batched=False``
        fill : number or shape (C,), optional
            The background; the first corner of the first sample if left out.
        tolerance : number
            The border may differ by as much from the fill, and is replaced by it: no element
            changes by more. 0 means equal in every bit.
        batched : bool
            Whether `array` has a batch axis.

        Returns
        -------
        PaddedArray
            Its core is a view of `array`: the bounding box of what is not background.

        Examples
        --------
        >>> import numpy as np
        >>> import implicitpad as ip
        >>> slide = np.full((1, 1, 100, 100), 255, np.uint8)
        >>> slide[0, 0, 40:60, 30:50] = 7
        >>> ip.PaddedArray.infer(slide)
        PaddedArray(shape=(1, 1, 100, 100), core=(20, 20) at (40, 30), fill=[255], dtype=uint8)
        """
        name = "PaddedArray.infer"
        backend_of(name, array=array, fill_value=fill)
        array = as_array(name, "array", array)
        rank = array.ndim - 1 - bool(batched)
        if rank < 1 or 0 in array.shape:
            wanted = "(N, C, *spatial)" if batched else "(C, *spatial)"
            raise ValueError(
                f"{name}: array must have shape {wanted} "
                f"and no empty axis, got {array.shape}; add axes or pass batched={not batched}."
            )
        if fill is None:
            corner = array[within((slice(0, 1),) * rank)]
            value = corner[:1].copy() if batched else corner.copy()
        else:
            value = as_fill(name, fill, array, rank)
        ends = bounds(array, value, rank, tolerance)
        spans = [Span.of(*pair, size) for pair, size in zip(ends, array.shape[-rank:], strict=True)]
        core = array[within([slice(*pair) for pair in ends])]
        return cls._make(core, spans, value)
