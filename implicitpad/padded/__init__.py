"""Padding carried through a network: an array as core, width of the border, and fill."""

from .array import PaddedArray

__all__ = ["PaddedArray"]
