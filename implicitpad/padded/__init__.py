"""Padding carried through a network: an array as core, width of the border, and fill."""

from .array import PaddedArray
from .gradients import PaddedGrad

__all__ = ["PaddedArray", "PaddedGrad"]
