"""Read a layer list from YAML or JSON.

A model has ``input: [channels, height, width]`` and ``layers``, a list.  A layer is a word
(``flatten``) or one pair (``conv: {out: 64, kernel: 3, padding: 1}``).  It reads the layer before
it, or the one named by ``from``; ``name`` gives it a name.  Further entries of a list are

* ``repeat: {times: 3, layers: [...]}``
* ``residual: {layers: [...], shortcut: [...]}``: the sum of both; no shortcut is
  the identity
* ``add: {with: NAME}`` and ``concat: {with: NAME, crop: true}``
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .network import INPUT, Layer, ModelError, Network
from .options import check


def read(path: Path) -> Network:
    """The network in a .yaml, .yml, .json or .onnx file."""
    if path.suffix == ".onnx":
        from .onnx_reading import read_onnx

        return read_onnx(path)
    if path.suffix not in (".json", ".yaml", ".yml"):
        raise ModelError(f"{path.name}: a model is a .yaml, .yml, .json or .onnx file.")
    content = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        try:
            return network(json.loads(content), path.stem)
        except json.JSONDecodeError as error:
            raise ModelError(f"{path.name}: this is not JSON: {error}.") from None
    import yaml

    try:
        return network(yaml.safe_load(content), path.stem)
    except yaml.YAMLError as error:
        raise ModelError(f"{path.name}: this is not YAML: {error}.") from None


def network(content: Any, name: str) -> Network:
    """The network that a nested list describes."""
    if not isinstance(content, dict) or not {"input", "layers"} <= content.keys():
        raise ModelError(f"{name}: a model has 'input' and 'layers'.")
    shape = content["input"]
    if not isinstance(shape, list) or not 2 <= len(shape) <= 4 or not _positive(shape):
        raise ModelError(f"{name}: input must be [channels, sizes...], received {shape!r}.")
    builder = _Builder()
    builder.sequence(content["layers"], INPUT)
    title, source = content.get("name", name), content.get("source", "")
    return Network(title, shape[0], tuple(shape[1:]), tuple(builder.layers), source)


def _positive(shape: Sequence[Any]) -> bool:
    return all(isinstance(a, int) and a > 0 for a in shape)


class _Builder:
    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self.names: dict[str, int] = {"input": INPUT}

    def sequence(self, entries: Any, before: int) -> int:
        """Add layers one after the other; the index of the last."""
        if not isinstance(entries, list):
            raise ModelError(f"layers must be a list, received {entries!r}.")
        for entry in entries:
            before = self.entry(entry, before)
        return before

    def entry(self, entry: Any, before: int) -> int:
        if isinstance(entry, str):
            entry = {entry: {}}
        if not isinstance(entry, dict) or len(entry) != 1:
            raise ModelError(f"a layer is a word or one pair KIND: OPTIONS, received {entry!r}.")
        ((kind, options),) = entry.items()
        if not isinstance(options or {}, dict):
            raise ModelError(f"{kind}: options must be pairs, received {options!r}.")
        options = dict(options or {})
        if kind == "repeat":
            for _ in range(options["times"]):
                before = self.sequence(options["layers"], before)
            return before
        if kind == "residual":
            main = self.sequence(options["layers"], before)
            short = self.sequence(options.get("shortcut", []), before)
            return self.append(Layer("add", f"{len(self.layers) + 1} add", (main, short)))
        name = options.pop("name", None)
        start = options.pop("from", None)
        inputs = [self.index(start) if start is not None else before]
        others = options.pop("with", [])
        inputs += [self.index(a) for a in ([others] if isinstance(others, str) else others)]
        label = f"{len(self.layers) + 1} {name or kind}"
        at = self.append(Layer(kind, label, tuple(inputs), options))
        if name is not None:
            self.names[name] = at
        return at

    def append(self, layer: Layer) -> int:
        check(layer)
        self.layers.append(layer)
        return len(self.layers) - 1

    def index(self, name: str) -> int:
        if name not in self.names:
            raise ModelError(f"no earlier layer is called {name!r}.")
        return self.names[name]
