"""Which kernel runs a convolution, and with what grid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

GRID_LIMIT = 65535  # blocks along y and z; kernels loop over the rest


@dataclass(frozen=True)
class Launch:
    """A kernel of ``cuda/SOURCE.cu`` and the shape of its launch."""

    source: str
    expression: str
    grid: tuple[int, ...]
    block: tuple[int, ...]
    shared: int = 0


def direct(geometry: Any, params: np.void) -> Launch:
    types = (geometry.dtype, geometry.weight_dtype, geometry.compute, geometry.out_dtype)
    positions = int(np.prod(params["out"], dtype=np.int64))
    return Launch(
        "conv_direct",
        f"conv_direct<{', '.join(dtype.name for dtype in types)}>",
        (-(-positions // 256), min(geometry.out_channels, GRID_LIMIT),
         min(geometry.batch, GRID_LIMIT)),
        (256,),
    )  # fmt: skip


# The first family that takes a problem runs it; direct takes every problem.
FAMILIES: dict[str, Callable[[Any, np.void], Launch | None]] = {"direct": direct}


def choose(geometry: Any, params: np.void, family: str | None = None) -> Launch:
    """The launch of the first family that takes this problem, or of the family named."""
    for name, request in FAMILIES.items():
        launch = request(geometry, params) if family in (None, name) else None
        if launch is not None:
            return launch
    raise ValueError(f"choose: no kernel family {family} for this problem")
