"""Read an ONNX graph as a list of layers; of the weights only the shapes are needed."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

from .network import INPUT, Layer, ModelError, Network

# Operators that return the shape of their first input and hold no window.
ELEMENTWISE = {
    "Relu", "LeakyRelu", "PRelu", "Sigmoid", "Tanh", "Clip", "HardSwish", "HardSigmoid", "Elu",
    "Selu", "Softmax", "LRN", "Identity", "Cast", "Sqrt", "Exp", "Softplus", "Erf", "Mish", "Gelu",
    "InstanceNormalization",
}  # fmt: skip
MERGING = {"Add", "Sum", "Mul", "Sub", "Div", "Max", "Min"}


def read_onnx(path: Path) -> Network:
    """The part of the graph that depends on its image input."""
    import onnx

    model = onnx.load(str(path), load_external_data=False)
    return network(model, path.stem)


def network(model: Any, name: str) -> Network:
    """As `read_onnx`, for a loaded model."""
    from onnx import shape_inference

    graph = shape_inference.infer_shapes(model).graph
    return _Reader(graph, name).network()


class _Reader:
    def __init__(self, graph: Any, name: str) -> None:
        import onnx

        self.graph, self.name = graph, name
        self.numpy: Callable[[Any], Any] = onnx.numpy_helper.to_array
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        self.shapes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
        for value in (*graph.input, *graph.value_info, *graph.output):
            dims = value.type.tensor_type.shape.dim
            self.shapes.setdefault(value.name, [dim.dim_value or None for dim in dims])
        images = [
            value.name
            for value in graph.input
            if value.name not in self.constants and len(self.shapes[value.name]) in (3, 4, 5)
        ]
        if len(images) != 1:
            raise ModelError(f"{name}: the graph must have one image input, it has {len(images)}.")
        self.at = {images[0]: INPUT}
        self.layers: list[Layer] = []

    def network(self) -> Network:
        (image,) = self.at
        _, channels, *sizes = self.shapes[image]
        if channels is None or None in sizes:
            sizes = [224 if n is None else n for n in sizes]
        for node in self.graph.node:
            if any(value in self.at for value in node.input):
                self.read(node)
        return Network(self.name, channels or 3, tuple(sizes), tuple(self.layers))

    def read(self, node: Any) -> None:
        inputs = tuple(self.at[value] for value in node.input if value in self.at)
        kind, options = self.layer(node, len(inputs))
        label = f"{len(self.layers) + 1} {node.name or node.op_type}"
        self.layers.append(Layer(kind, label, inputs, options))
        self.at[node.output[0]] = len(self.layers) - 1

    def layer(self, node: Any, inputs: int) -> tuple[str, dict[str, Any]]:
        """Kind and options of one node."""
        kind = node.op_type
        options = {one.name: self.attribute(one) for one in node.attribute}
        if kind in ("Conv", "ConvTranspose"):
            return self.convolution(node, options)
        if kind in ("MaxPool", "AveragePool"):
            found = {**window(options), "kernel": options["kernel_shape"]}
            found["ceil"] = bool(options.get("ceil_mode", 0))
            found.setdefault("stride", [1] * len(options["kernel_shape"]))
            return ("max_pool" if kind == "MaxPool" else "avg_pool"), found
        if kind in ("Gemm", "MatMul"):
            return self.linear(node, options)
        if kind in ("Reshape", "Flatten", "Squeeze"):
            return self.reshape(node, inputs)
        if kind in ("Resize", "Upsample"):
            return self.resize(node, options)
        if kind == "Concat":
            if options.get("axis") not in (1, -3):
                raise self.error(node, "only concatenation of channels is understood")
            return "concat", {}
        if kind in MERGING:
            return ("add" if inputs > 1 else "activation"), {}
        if kind in ("GlobalAveragePool", "GlobalMaxPool"):
            return "global_pool", {}
        if kind in ("BatchNormalization", "Dropout"):
            return ("batch_norm" if kind == "BatchNormalization" else "dropout"), {}
        if kind in ELEMENTWISE:
            return "activation", {}
        raise self.error(node, "this operator is not understood")

    def convolution(self, node: Any, options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        weight = self.shape(node.input[1], node)
        groups = options.get("group", 1)
        found = {**window(options), "kernel": weight[2:], "groups": groups}
        found["bias"] = len(node.input) > 2 and bool(node.input[2])
        if node.op_type == "Conv":
            return "conv", {**found, "out": weight[0]}
        if "output_padding" in options:
            found["output_padding"] = options["output_padding"]
        return "conv_transpose", {**found, "out": weight[1] * groups}

    def linear(self, node: Any, options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        weight = self.shape(node.input[1], node)
        bias = node.op_type == "Gemm" and len(node.input) > 2
        return "linear", {"out": weight[0 if options.get("transB", 0) else 1], "bias": bias}

    def reshape(self, node: Any, inputs: int) -> tuple[str, dict[str, Any]]:
        before, after = self.shapes.get(node.input[0]), self.shapes.get(node.output[0])
        if after is not None and len(after) == 2:
            return ("flatten" if before is None or len(before) > 2 else "activation"), {}
        raise self.error(node, "only flattening is understood")

    def resize(self, node: Any, options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        for name in (*node.input[1:], ""):
            if name in self.constants:
                scales = [float(a) for a in self.numpy(self.constants[name])]
                spatial = scales[2:]
                if len(scales) > 2 and all(a == int(a) >= 1 for a in spatial):
                    return "upsample", {"factor": [int(a) for a in spatial]}
        raise self.error(node, "only whole factors given as constants are understood")

    def shape(self, name: str, node: Any) -> list[int]:
        found = self.shapes.get(name)
        if not found or None in found or prod(found) == 0:
            raise self.error(node, f"the shape of its weights {name!r} is not known")
        return list(found)

    def error(self, node: Any, why: str) -> ModelError:
        return ModelError(
            f"{self.name}: node {node.name or node.output[0]} ({node.op_type}): {why}."
        )

    @staticmethod
    def attribute(one: Any) -> Any:
        from onnx import helper

        value = helper.get_attribute_value(one)
        return value.decode() if isinstance(value, bytes) else value


def window(options: dict[str, Any]) -> dict[str, Any]:
    """Stride, padding and dilation of a window operator."""
    found: dict[str, Any] = {}
    if "strides" in options:
        found["stride"] = list(options["strides"])
    if "dilations" in options:
        found["dilation"] = list(options["dilations"])
    auto = options.get("auto_pad", "NOTSET")
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        found["padding"] = "same" if auto == "SAME_UPPER" else "same_lower"
    elif "pads" in options:
        pads = list(options["pads"])
        half = len(pads) // 2
        found["padding"] = [list(pair) for pair in zip(pads[:half], pads[half:], strict=True)]
    return found
