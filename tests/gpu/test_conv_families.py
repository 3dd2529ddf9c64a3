"""Every kernel family against the reference, on the problems it is made for."""

from __future__ import annotations

import pytest
from gpu_problems import problem

from implicitpad import _cuda_families


def shapes_and_types(shapes, others=2):
    """Every shape in float32, the first few also in the other floating types."""
    names = list(shapes)
    first = names[:others]
    return [(name, "float32") for name in names] + [
        (name, dtype) for name in first for dtype in ("float16", "bfloat16", "float64")
    ]


SHAPES = {
    "signal": ((2, 3, 19), (4, 3, 3), {"padding": ((2, 5),), "fill_value": 2.5}),
    "image": ((2, 3, 6, 7), (5, 3, 3, 3), {"padding": 1, "fill_value": [1.0, -2.0, 3.0]}),
    "volume": ((1, 2, 4, 3, 5), (3, 2, 2, 3, 1), {"padding": (1, 2, 0), "stride": (2, 1, 3)}),
    "unbatched": ((3, 6, 5), (4, 3, 3, 2), {"padding": ((-1, 3), (2, -1)), "fill_value": -1.0}),
    "modes": ((1, 4, 5, 4), (6, 2, 3, 3), {"padding": ((7, 3), (2, 9)), "groups": 2,
              "padding_mode": ("reflect", "circular")}),
    "dilated": ((1, 2, 9, 8), (3, 2, 3, 3), {"padding": 3, "dilation": (2, 3), "stride": 2,
                "padding_mode": ("replicate", "symmetric")}),
    "outside": ((1, 2, 3, 3), (2, 2, 2, 2), {"padding": ((9, 0), (0, 9)), "fill_value": 4.0}),
}  # fmt: skip


@pytest.mark.parametrize(("shape", "dtype"), shapes_and_types(SHAPES))
def test_direct_takes_floats(device, shape, dtype):
    x, w, options = SHAPES[shape]
    p = problem(1, x, w, dtype, **options)
    p.check(p.run(device, "direct"))


@pytest.mark.parametrize(
    "dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
)
@pytest.mark.parametrize("shape", ["image", "modes"])
def test_direct_is_exact_on_integers(device, shape, dtype):
    x, w, options = SHAPES[shape]
    options = {**options, "fill_value": 7} if "fill_value" in options else options
    p = problem(2, x, w, dtype, **options)
    p.check(p.run(device, "direct"))


@pytest.mark.parametrize(("x_dtype", "w_dtype"), [("int8", "uint8"), ("uint8", "int8")])
def test_direct_mixes_signed_and_unsigned_bytes(device, x_dtype, w_dtype):
    p = problem(3, (2, 3, 6, 5), (4, 3, 3, 3), x_dtype, w_dtype=w_dtype, padding=1, fill_value=5)
    p.check(p.run(device, "direct"))


PLANES = {
    "line": ((2, 3, 1100), (3, 1, 3), {"padding": 1, "groups": 3, "fill_value": 2.0}),
    "line-multiplier": ((1, 2, 40), (4, 1, 5), {"padding": 2, "groups": 2, "stride": 2}),
    "window-3": ((1, 3, 37, 35), (3, 1, 3, 3), {"padding": 1, "groups": 3,
                 "fill_value": [1.0, 2.0, 3.0]}),
    "window-5": ((1, 1, 9, 34), (1, 1, 5, 5), {"padding": 2, "padding_mode": "reflect"}),
    "window-7": ((1, 2, 8, 9), (2, 1, 7, 7), {"padding": 3, "groups": 2, "stride": (1, 2)}),
    "stride-2": ((1, 2, 9, 11), (2, 1, 3, 3), {"padding": 1, "groups": 2, "stride": 2}),
    "dilated": ((1, 2, 9, 11), (2, 1, 3, 3), {"padding": 2, "groups": 2, "dilation": 2}),
    "groups-of-2": ((2, 4, 6, 5), (6, 2, 3, 3), {"padding": ((3, 0), (0, 2)), "groups": 2}),
    "volume": ((1, 2, 4, 5, 6), (2, 1, 3, 3, 3), {"padding": 1, "groups": 2, "fill_value": 9.0}),
    "image-15": ((1, 20, 18), (1, 1, 15, 15), {"padding": 7, "padding_mode": "symmetric"}),
}  # fmt: skip


@pytest.mark.parametrize(("shape", "dtype"), shapes_and_types(PLANES))
def test_planes(device, shape, dtype):
    x, w, options = PLANES[shape]
    p = problem(4, x, w, dtype, **options)
    p.check(p.run(device, "planes"))


@pytest.mark.parametrize(
    ("shape", "dtype"),
    shapes_and_types([s for s in PLANES if s not in ("window-5", "image-15", "line")]),
)
def test_planes_channels_last(device, shape, dtype):
    x, w, options = PLANES[shape]
    p = problem(5, x, w, dtype, **options)
    p.check(p.run(device, "planes", x=channels_last(device, p.x)))


def test_planes_channels_last_slides_windows_of_5(device):
    p = problem(6, (1, 40, 5, 9), (40, 1, 5, 5), padding=2, groups=40, padding_mode="circular")
    p.check(p.run(device, "planes", x=channels_last(device, p.x)))


FEW = {
    "stem": ((1, 3, 20, 19), (18, 3, 7, 7), {"padding": 3, "stride": 2, "fill_value": 0.5}),
    "grouped": ((2, 4, 5, 6), (6, 2, 3, 3), {"padding": 1, "groups": 2,
                "fill_value": [1.0, 2.0, 3.0, 4.0]}),
    "signal": ((2, 1, 300), (20, 1, 9), {"padding": ((8, 0),), "padding_mode": "replicate"}),
}  # fmt: skip


@pytest.mark.parametrize(("shape", "dtype"), shapes_and_types(FEW))
def test_few_channels(device, shape, dtype):
    x, w, options = FEW[shape]
    p = problem(7, x, w, dtype, **options)
    p.check(p.run(device, "few_channels"))


GEMM = {
    "image": ((2, 9, 7, 6), (70, 9, 3, 3), {"padding": 1, "fill_value": 3.0}),
    "per-channel": ((1, 5, 6, 5), (8, 5, 2, 3), {"padding": ((2, 1), (0, 4)), "stride": (1, 2),
                    "fill_value": [1.0, 2.0, 3.0, 4.0, 5.0]}),
    "modes": ((1, 20, 5, 5), (12, 20, 3, 3), {"padding": 2, "dilation": 2,
              "padding_mode": ("reflect", "symmetric")}),
    "grouped": ((1, 34, 5, 4), (22, 17, 3, 3), {"padding": 1, "groups": 2}),
    "volume": ((1, 6, 3, 4, 5), (9, 6, 2, 2, 2), {"padding": 1}),
    "signal": ((3, 17, 30), (10, 17, 5), {"padding": ((4, 0),), "padding_mode": "circular"}),
}  # fmt: skip


@pytest.mark.parametrize("layout", ["channels-first", "channels-last"])
@pytest.mark.parametrize(("shape", "dtype"), shapes_and_types(GEMM))
def test_gemm(device, shape, dtype, layout):
    x, w, options = GEMM[shape]
    p = problem(8, x, w, dtype, **options)
    last = channels_last(device, p.x) if layout == "channels-last" else None
    p.check(p.run(device, "gemm", x=last))


VIEW = {
    "1x1": ((2, 33, 5, 6), (20, 33, 1, 1), {}),
    "1x1-grouped": ((1, 32, 4, 5), (24, 16, 1, 1), {"groups": 2}),
    "patches": ((2, 3, 8, 12), (17, 3, 4, 4), {"stride": 4}),
    "patches-3d": ((1, 2, 4, 4, 6), (9, 2, 2, 2, 2), {"stride": 2}),
    "unpadded": ((1, 5, 7, 6), (8, 5, 3, 3), {"dilation": (1, 2)}),
    "cropped": ((1, 5, 7, 9), (8, 5, 3, 3), {"padding": ((-1, 0), (-2, -1)), "stride": 2}),
}  # fmt: skip


@pytest.mark.parametrize("layout", ["channels-first", "channels-last"])
@pytest.mark.parametrize("shape", VIEW)
def test_gemm_view(device, shape, layout):
    x, w, options = VIEW[shape]
    p = problem(9, x, w, **options)
    last = channels_last(device, p.x) if layout == "channels-last" else None
    p.check(p.run(device, "gemm_view", x=last))


@pytest.mark.parametrize("family", ["gemm", "gemm_view"])
@pytest.mark.parametrize("layout", ["channels-first", "channels-last"])
def test_large_tiles(device, family, layout, monkeypatch):
    monkeypatch.setattr(_cuda_families, "LARGE_BLOCKS", 1)
    p = problem(10, (3, 6, 9, 8), (130, 6, 3, 2), padding=int(family == "gemm"))
    last = channels_last(device, p.x) if layout == "channels-last" else None
    p.check(p.run(device, family, x=last))


def channels_last(device, x):
    """``x`` on the device with its channels adjacent, under the same shape."""
    batched = range(x.ndim)
    order = [axis for axis in batched if axis != 1] + [1]
    array = device.asarray(x.transpose(order).copy())
    return array.transpose(*(order.index(axis) for axis in batched))
