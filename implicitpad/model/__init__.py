"""Whole models as lists of layers: shapes, costs, and for which input sizes they work."""
