"""Published networks: sizes, parameters and multiply-adds are the published ones."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from implicitpad.cli.check import check
from implicitpad.model.analysis import analyse
from implicitpad.model.network import ModelError
from implicitpad.model.options import KNOWN
from implicitpad.model.reading import network, read
from implicitpad.model.rules import RULES
from implicitpad.model.sizes import ValidSizes, reduced, valid_sizes

MODELS = Path(__file__).parents[2] / "docs" / "models"

# Parameters: torchvision's documentation of vgg16, resnet50 and mobilenet_v2 (v0.20).
# Multiply-adds: VGG-16 15.47 G there; ResNet-50 "3.8 × 10⁹" in arXiv 1512.03385, table 1, whose
# strides we follow; MobileNetV2 "300 M" in arXiv 1801.04381, table 4.
PUBLISHED = {
    "vgg16": (138_357_544, 15.47e9),
    "resnet50": (25_557_032, 3.8e9),
    "mobilenetv2": (3_504_872, 300e6),
}
# The sizes written in figure 1 of arXiv 1505.04597, along the path of the data.
UNET = [570, 568, 284, 282, 280, 140, 138, 136, 68, 66, 64, 32, 30, 28]
UNET += [56, 54, 52, 104, 102, 100, 200, 198, 196, 392, 390, 388, 388]


def load(name):
    return read(MODELS / f"{name}.yaml")


def rows_of(model, sizes=None):
    rows, why = analyse(model, sizes)
    assert why == ""
    return rows


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_figures(name):
    rows = rows_of(load(name))
    parameters, multiply_adds = PUBLISHED[name]
    assert sum(row.parameters for row in rows) == parameters
    assert sum(row.multiply_adds for row in rows) == pytest.approx(multiply_adds, rel=0.02)
    assert rows[-1].out.channels == 1000


def test_sizes_of_the_u_net():
    rows = rows_of(load("unet"))
    sizes = [row.out.sizes[0].b for row in rows if row.kind in ("conv", "max_pool")]
    ups = [row.out.sizes[0].b for row in rows if row.kind == "conv_transpose"]
    merged = [size for size in UNET if size not in (56, 104, 200, 392)]
    assert sizes == merged
    assert ups == [56, 104, 200, 392]
    assert sum(row.kind in ("conv", "conv_transpose") for row in rows) == 23  # "23 layers"


def test_receptive_fields_of_vgg16():
    rows = rows_of(load("vgg16"))
    pools = [row.receptive_field for row in rows if row.kind == "max_pool"]
    assert pools == [6, 16, 44, 100, 212]


@pytest.mark.parametrize(
    ("name", "valid"),
    [
        ("unet", "n ≡ 12 mod 16, n ≥ 188"),
        ("unet-padded", "n ≡ 0 mod 32, n ≥ 32"),
        ("vgg16", "n = 224 … 255"),
        ("resnet50", "every n ≥ 1"),
    ],
)
def test_valid_sizes(name, valid):
    assert str(valid_sizes(load(name))) == valid


@pytest.mark.parametrize("name", ["unet", "unet-padded", "vgg16"])
def test_valid_sizes_are_those_that_work(name):
    model = load(name)
    valid, flat = valid_sizes(model), None
    if name == "vgg16":
        flat = [row.out for row in rows_of(model) if row.kind == "flatten"]
    for n in range(180, 300):
        rows, why = analyse(model, (n, n))
        works = not why and (flat is None or [r.out for r in rows if r.kind == "flatten"] == flat)
        assert (n in valid) == works, n


def test_the_nearest_sizes_are_named():
    assert valid_sizes(load("unet")).nearest(570) == (556, 572)
    assert ValidSizes(1, (), 1, (5, 6)).nearest(9) == (6, None)
    assert ValidSizes(8, (0,), 16).nearest(3) == (None, 16)


def test_residues_fold_to_the_smallest_modulus():
    assert reduced(12, (1, 5, 9)) == (4, (1,))
    assert reduced(4, (0, 1, 2, 3)) == (1, (0,))
    assert reduced(6, (0, 1)) == (6, (0, 1))


def small(*layers, sizes=(8, 8)):
    return network({"input": [4, *sizes], "layers": list(layers)}, "small")


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([{"conv": {"out": 4, "kernel": 11}}], "add 3 to the padding"),
        ([{"conv": {"out": 6, "kernel": 3, "groups": 4}}], "groups must divide"),
        ([{"max_pool": {"kernel": 3, "stride": 2, "exact": True}}], "would be dropped"),
        ([{"linear": {"out": 3}}], "put flatten before it"),
        (["flatten", {"conv": {"out": 4, "kernel": 1}}], "is flat"),
        (
            [{"conv": {"out": 4, "kernel": 3, "name": "a"}}, {"add": {"with": "input"}}],
            "cannot add",
        ),
        (
            [{"conv": {"out": 4, "kernel": 3}}, {"concat": {"with": "input"}}],
            "cannot join",
        ),
        (
            [{"conv_transpose": {"out": 4, "kernel": 3, "stride": 2, "output_padding": 2}}],
            "take at most 1",
        ),
    ],
)
def test_the_first_layer_that_cannot_work_is_named_with_a_fix(layers, message):
    _, why = analyse(small(*layers))
    assert message in why


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([{"cnov": {"out": 4}}], "known are conv"),
        ([{"conv": {"out": 4, "kernal": 3}}], "no option 'kernal'"),
        ([{"add": {"with": "nothing"}}], "no earlier layer is called 'nothing'"),
        ([{"conv": {"out": 1}, "flatten": {}}], "one pair"),
        (["flatten", {"linear": 3}], "options must be pairs"),
    ],
)
def test_a_model_that_cannot_be_read_is_one_error(layers, message):
    with pytest.raises(ModelError, match=message):
        small(*layers)


def test_every_kind_has_a_rule_and_options():
    assert RULES.keys() == KNOWN.keys()


def test_json_and_yaml_are_the_same(tmp_path):
    import yaml

    path = tmp_path / "unet.json"
    path.write_text(json.dumps(yaml.safe_load((MODELS / "unet.yaml").read_text())))
    assert read(path) == load("unet")


def test_the_command_fails_where_the_model_does(tmp_path):
    run = CliRunner().invoke
    assert run(check, [str(MODELS / "unet.yaml"), "--summary"]).exit_code == 0
    outcome = run(check, [str(MODELS / "unet.yaml"), "--size", "570"])
    assert outcome.exit_code == 1
    assert "556 and 572" in outcome.output
    found = json.loads(run(check, [str(MODELS / "vgg16.yaml"), "--json"]).output)
    assert found["works"]
    assert found["layers"][0]["out"] == [64, 224, 224]
    assert found["parameters"] == 138_357_544
    (tmp_path / "broken.yaml").write_text("layers: [")
    outcome = run(check, [str(tmp_path / "broken.yaml")])
    assert outcome.exit_code == 1
    assert "not YAML" in outcome.output


def light_models():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        onnx = pytest.importorskip("onnx")
    folder = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
    return {path.stem.removeprefix("light_"): path for path in folder.glob("*.onnx")}


# Parameters and multiply-adds in torchvision's documentation (v0.20) of the same networks.
ONNX_PUBLISHED = {
    "resnet50": (25_557_032, 4.09e9),
    "vgg19": (143_667_240, 19.63e9),
    "squeezenet": (1_235_496, 0.35e9),
    "densenet121": (7_978_856, 2.83e9),
}


@pytest.mark.parametrize("name", ["bvlc_alexnet", "inception_v1", "zfnet512", *ONNX_PUBLISHED])
def test_equals_the_shape_inference_of_onnx(name):
    models = light_models()
    if name not in models:
        pytest.skip(f"this onnx does not ship {name}")
    import onnx

    from implicitpad.model.onnx_reading import network as onnx_network

    model = onnx.load(models[name])
    rows = rows_of(onnx_network(model, name))
    graph = onnx.shape_inference.infer_shapes(model).graph
    inferred = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*graph.value_info, *graph.output)
    }
    constants = {tensor.name for tensor in graph.initializer}
    depends = {v.name for v in graph.input if v.name not in constants}
    images = {v.name for v in graph.input if len(v.type.tensor_type.shape.dim) == 4}
    depends &= images
    outputs = []
    for node in graph.node:
        if depends & set(node.input):
            depends.add(node.output[0])
            outputs.append(node.output[0])
    assert len(outputs) == len(rows) > 20
    shapes = [[1, row.out.channels, *(size.b for size in row.out.sizes)] for row in rows]
    assert shapes == [inferred[output] for output in outputs]
    if name in ONNX_PUBLISHED:
        parameters, multiply_adds = ONNX_PUBLISHED[name]
        assert sum(row.parameters for row in rows) == parameters
        assert sum(row.multiply_adds for row in rows) == pytest.approx(multiply_adds, rel=0.01)


def test_an_operator_that_is_not_understood_is_named():
    models = light_models()
    if "shufflenet" not in models:
        pytest.skip("this onnx does not ship shufflenet")
    with pytest.raises(ModelError, match=r"\(Reshape\): only flattening"):
        read(models["shufflenet"])


def test_another_input_size_needs_no_other_model():
    model = replace(load("resnet50"), sizes=(320, 192))
    assert rows_of(model)[-4].out.sizes[0].b == 10
