"""Making, reading, slicing and moving the border."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from padded_arrays import assert_same, random_padded

import implicitpad as ip


def test_materialize_is_numpy_pad():
    core = np.arange(12.0).reshape(1, 2, 2, 3)
    x = ip.PaddedArray(core, ((1, 2), (0, 3)), [7.0, 8.0])
    want = np.stack(
        [
            np.pad(p, ((1, 2), (0, 3)), constant_values=v)
            for p, v in zip(core[0], (7, 8), strict=True)
        ]
    )
    np.testing.assert_array_equal(x.materialize(), want[None])
    np.testing.assert_array_equal(np.asarray(x, np.float32), want[None].astype(np.float32))
    assert (x.shape, x.ndim, x.dtype, x.size) == ((1, 2, 5, 6), 4, np.float64, 60)
    assert (x.pad, x.n_pad, x.nbytes_core, x.nbytes_virtual) == (((1, 2), (0, 3)), 24, 96, 480)


def test_pattern_starts_at_virtual_position_0():
    x = ip.PaddedArray(np.zeros((1, 1, 1)), [(2, 3)], np.array([[[1.0, 2.0]]]))
    assert np.asarray(x).ravel().tolist() == [1, 2, 0, 2, 1, 2]


def test_an_empty_core_is_all_border():
    x = ip.PaddedArray(np.zeros((2, 1, 0, 5)), 2, 3.0)
    assert x.shape == (2, 1, 4, 9)
    assert x.core.shape == (2, 1, 0, 0)
    assert np.asarray(x).min() == 3.0


def test_pad_tells_whether_there_is_a_batch_axis():
    core = np.zeros((2, 3, 4))
    assert ip.PaddedArray(core, 1).shape == (2, 3, 6)
    assert ip.PaddedArray(core, (1, 1)).shape == (2, 5, 6)


@pytest.mark.parametrize(
    ("core", "pad", "fill", "error", "words"),
    [
        (np.zeros((1, 1, 2)), -1, 0, ValueError, "pad must be at least 0"),
        (np.zeros((1, 2)), 1, 0, ValueError, r"core must have shape \(N, C"),
        (np.zeros((1, 2, 3, 4)), 1, [1, 2, 3], ValueError, r"got shape \(3,\).*2 channels"),
        (np.zeros((1, 2, 3, 4), np.uint8), 1, 256, ValueError, "does not fit dtype uint8"),
        (np.zeros((1, 2, 3, 4), np.int8), 1, 0.5, ValueError, "does not fit dtype int8"),
        (np.zeros((1, 2, 3, 4), np.float16), 1, 1e6, ValueError, "does not fit dtype float16"),
        (np.zeros((1, 2, 3, 4)), 1, "white", TypeError, "fill must be a number"),
        (np.zeros((1, 2, 3, 4)), 1, 1j, TypeError, "complex"),
    ],
)
def test_bad_parts(core, pad, fill, error, words):
    with pytest.raises(error, match=f"PaddedArray: .*{words}"):
        ip.PaddedArray(core, pad, fill)


def test_no_silent_copies():
    x = ip.PaddedArray(np.zeros((1, 1, 2, 2)), 1)
    with pytest.raises(ValueError, match="copy=False"):
        x.__array__(copy=False)
    with pytest.raises(ValueError, match="truth value"):
        bool(x == x)
    with pytest.raises(TypeError, match=r"np.cumsum: .* materialize\(\)"):
        np.cumsum(x)
    assert np.shares_memory(x[..., 1:, 1:].core, x.core)
    assert np.shares_memory(x.extend(3).core, x.core)


@pytest.mark.parametrize("seed", range(120))
def test_slicing(seed):
    rng = np.random.default_rng(seed)
    x = random_padded(rng, period=3)
    key = [slice(None)] * len(x.lead)
    if len(x.lead) == 2 and rng.random() < 0.5:
        key[0] = [0, slice(1, None), [0, 0]][rng.integers(3)]
    if rng.random() < 0.5:
        key[-1] = [slice(None, None, -1), [0, 0], slice(0, 1)][rng.integers(3)]
        if isinstance(key[-1], list) and isinstance(key[0], list):
            key[0] = slice(None)
    for span in x.spans:
        n = span.total
        choices = [
            slice(*rng.integers(-n - 2, n + 3, 2).tolist(), int(rng.choice([-3, -2, -1, 1, 2, 3]))),
            slice(None),
            slice(int(rng.integers(0, n + 1)), None),
            int(rng.integers(-n, n)),
        ]
        key.append(choices[rng.integers(4)])
    explicit = x.materialize()
    for a, item in enumerate(key):  # one axis after the other, as the rule says
        index = (slice(None),) * a + (
            item if not isinstance(item, int) else slice(item, item + 1 or None),
        )
        explicit = explicit[index]
    explicit = explicit.squeeze(tuple(a for a, item in enumerate(key) if isinstance(item, int)))
    assert_same(x[tuple(key)], explicit, 0)


def test_slicing_refusals():
    x = ip.PaddedArray(np.zeros((1, 3, 2, 2)), 1)
    with pytest.raises(ValueError, match=r"write 1:2"):
        x[0, 1]
    with pytest.raises(ValueError, match="spatial axes take slices and integers"):
        x[:, :, [0, 1]]
    with pytest.raises(IndexError, match="index 4 is out of range"):
        x[0, :, 4]
    with pytest.raises(IndexError, match="adds no axes"):
        x[None]
    with pytest.raises(IndexError):
        x[0, :, 0, 0, 0]


@pytest.mark.parametrize("seed", range(40))
def test_extend_continues_and_crops(seed):
    rng = np.random.default_rng(seed)
    x = random_padded(rng, period=3)
    more = [tuple(rng.integers(0, 9, 2).tolist()) for _ in x.spans]
    back = [(-a, -b) for a, b in more]
    longer = x.extend(more)
    assert [s.total for s in longer.spans] == [
        s.total + a + b for s, (a, b) in zip(x.spans, more, strict=True)
    ]
    assert_same(longer.extend(back), x.materialize(), 0)


def test_extend_continues_the_pattern():
    fill = np.arange(6.0).reshape(1, 1, 2, 3)
    x = ip.PaddedArray(np.empty((1, 1, 0, 0)), ((4, 0), (6, 0)), fill)
    widths = ((5, 3), (2, 7))
    want = np.pad(x.materialize(), ((0, 0), (0, 0), *widths), mode="wrap")
    np.testing.assert_array_equal(x.extend(widths).materialize(), want)


@pytest.mark.parametrize("seed", range(60))
def test_trim_gives_the_smallest_core(seed):
    rng = np.random.default_rng(seed)
    x = random_padded(rng, period=2)
    grown = x.recore(
        [
            (int(rng.integers(0, s.before + 1)), int(rng.integers(s.stop, s.total + 1)))
            for s in x.spans
        ]
    )
    small = grown.trim()
    assert_same(grown, x.materialize(), 0)
    assert_same(small, x.materialize(), 0)
    assert small.core.size <= x.core.size


def test_trim_sees_bits():
    core = np.zeros((1, 1, 4))
    core[..., 0], core[..., 2] = -0.0, 1.0
    assert ip.PaddedArray(core, 1, 0.0).trim().pad == ((1, 2),)
    core[:] = np.nan
    assert ip.PaddedArray(core, 1, np.nan).trim().core.size == 0


def test_infer_finds_the_border_of_each_channel():
    rng = np.random.default_rng(0)
    image = np.empty((2, 3, 30, 40))
    image[:] = np.array([1.0, 2.0, 3.0])[:, None, None]
    image[0, 1, 5:9, 11:12] = 0
    image[1, 2, 7:20, 20:30] = rng.normal(size=(13, 10))
    x = ip.PaddedArray.infer(image)
    assert x.pad == ((5, 10), (11, 10))
    assert np.shares_memory(x.core, image)
    assert_same(x, image, 0)
    noisy = image + rng.uniform(-0.01, 0.01, image.shape)
    y = ip.PaddedArray.infer(noisy, [1, 2, 3], tolerance=0.01)
    assert y.pad == x.pad
    assert np.abs(y.materialize() - noisy).max() <= 0.01
    blank = ip.PaddedArray.infer(np.full((1, 4, 4), 7, np.uint8), batched=False)
    assert (blank.core.size, blank.shape, blank.fill.ravel().tolist()) == (0, (1, 4, 4), [7])


def test_unsigned_tolerance_does_not_wrap_round():
    scan = np.full((1, 1, 5), 250, np.uint8)
    scan[..., 1], scan[..., 2] = 255, 100
    assert ip.PaddedArray.infer(scan, tolerance=5).pad == ((2, 2),)


def test_pickle():
    x = random_padded(np.random.default_rng(0), 2, period=2)
    assert_same(pickle.loads(pickle.dumps(x)), x.materialize(), 0)
