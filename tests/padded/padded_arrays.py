"""Random padded arrays, and comparison with the explicit array they stand for."""

from __future__ import annotations

import numpy as np

import implicitpad as ip


def random_padded(rng, rank=None, *, lead=None, total=None, period=1, dtype=np.float64):
    """Any core (also empty, or of size 1), any border (also none), any kind of fill."""
    rank = int(rng.integers(1, 4)) if rank is None else rank
    if lead is None:
        lead = tuple(rng.integers(1, 4, 2)) if rng.random() < 0.8 else (int(rng.integers(1, 4)),)
    if total is None:
        total = rng.integers(1, 14 if rank < 3 else 8, rank)
    spans = []
    for length in total:
        start, stop = sorted(rng.integers(0, length + 1, 2))
        if rng.random() < 0.2:
            start, stop = 0, length
        spans.append((int(start), int(stop), int(length)))
    if any(start == stop for start, stop, _ in spans):
        spans = [(length, length, length) for _, _, length in spans]
        shape = (0,) * rank
    else:
        shape = tuple(stop - start for start, stop, _ in spans)
    phases = tuple(int(rng.integers(1, period + 1)) for _ in range(rank))
    samples = (int(rng.choice([1, lead[0]])),) if len(lead) == 2 else ()
    core = numbers(rng, (*lead, *shape), dtype)
    fill = numbers(rng, (*samples, lead[-1], *phases), dtype)
    return ip.PaddedArray(core, [(start, length - stop) for start, stop, length in spans], fill)


def numbers(rng, shape, dtype=np.float64):
    if np.dtype(dtype).kind in "iu":
        return rng.integers(0, 100, shape).astype(dtype)
    return rng.normal(size=shape).astype(dtype)


def assert_same(x, explicit, tolerance=1e-9):
    """Shape, dtype and values of a padded or ordinary array equal those of an ordinary array."""
    assert x.shape == explicit.shape
    assert x.dtype == explicit.dtype
    if isinstance(x, ip.PaddedArray):
        assert x.core.dtype == x.fill.dtype == explicit.dtype
        assert x.core.ndim == x.fill.ndim == explicit.ndim
    scale = (
        max(1.0, float(np.nanmax(np.abs(explicit), initial=0))) if explicit.dtype.kind == "f" else 1
    )
    np.testing.assert_allclose(np.asarray(x), explicit, rtol=0, atol=tolerance * scale)
