"""Padding carried through a network: an array is its core, the width of its border, and the fill."""

from .array import PaddedArray

__all__ = ["PaddedArray"]
