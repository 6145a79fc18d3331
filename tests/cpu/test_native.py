"""Native kernels give the results of stock kernels for all shapes, and the package works without them."""

import os
import shutil
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, mint, ops

from mindone_tcd import cpu
from mindone_tcd.cpu import native

from . import numpy_reference as ref
from . import test_kernels, test_layers
from .cases import CASES
from .test_kernels import assert_close

ROOT = Path(__file__).parents[2]
MODES = pytest.mark.parametrize("compiled", [False, True], ids=["pynative", "graph"])
CONCERNED = [case for case in CASES if case.name.endswith(("_norm", ".gelu", ".silu")) and "vector" not in case.name]
LAYERS = [row for row in test_layers.LAYERS if type(row[0]).__name__ in ("LayerNorm", "GroupNorm", "GELU", "SiLU")]
built = pytest.mark.skipif(native.library() is None, reason="installed without a C++ compiler: stock kernels serve")


def normal(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def kernels(wanted):
    """For a fixture: enable or disable native kernels, and restore the setting after the test."""
    before = cpu.native_kernels()
    cpu.use_native_kernels(wanted)
    yield
    cpu.use_native_kernels(before)


@pytest.fixture
def stock():
    """Run without native kernels."""
    yield from kernels(False)


@pytest.fixture
def native_ones():
    """Run with native kernels, whatever the environment says."""
    yield from kernels(True)


@pytest.mark.usefixtures("stock")
class TestWithout:
    """Tests with stock kernels that the other files run with native kernels if they are built."""

    @pytest.mark.parametrize("case", CONCERNED, ids=lambda case: case.label)
    def test_values(self, case):
        assert not cpu.native_kernels()
        test_kernels.test_values_equal_numpy(case)
        test_kernels.test_compiles_to_the_same_values(case)

    @pytest.mark.parametrize("case", CONCERNED, ids=lambda case: case.label)
    def test_gradients(self, case):
        test_kernels.test_gradients_equal_finite_differences(case)

    @pytest.mark.parametrize(("layer", "x", "expected"), LAYERS, ids=lambda value: type(value).__name__)
    def test_layers(self, layer, x, expected):
        test_layers.test_layers(layer, x, expected)


@built
@pytest.mark.usefixtures("native_ones")
class TestKernels:
    """Shapes that the kernels divide among threads, and extreme values."""

    def test_they_are_in_use(self):
        assert cpu.native_kernels()
        assert native.take(ms.float32, ms.float32)
        assert not native.take(ms.float32, ms.float16)

    def test_gelu_everywhere(self):
        x = np.concatenate([np.linspace(-12, 12, 100_001), [-1e30, -1e3, 1e3, 1e30, 0.0]]).astype(np.float32)
        wide = x.astype(np.float64)
        expected = np.where(wide < -40, 0, ref.gelu(wide))
        # The probability is a float32 near 1 or 0: 6e-8 of x, and the same again from the exponential.
        error = np.abs(mint.nn.functional.gelu(Tensor(x)).asnumpy() - expected)
        assert (error <= 2e-7 * np.maximum(np.abs(x), 1)).all()

    def test_silu_everywhere(self):
        x = np.concatenate([np.linspace(-100, 100, 100_001), [-1e30, 1e30]]).astype(np.float32)
        wide = np.maximum(x.astype(np.float64), -700)
        expected = np.where(x < -700, 0, wide / (1 + np.exp(-wide)))
        error = np.abs(mint.nn.functional.silu(Tensor(x)).asnumpy() - expected)
        # Below -87, the limit of the exponential in float32, the result is x times 6e-39 instead of a smaller value.
        assert (error <= 6e-7 * np.abs(expected) + 1e-8)[:-2].all()

    @pytest.mark.parametrize("shape", [(1, 3, 1), (2, 7, 33), (1, 64, 1031)])
    def test_rows_of_any_length(self, shape):
        x = normal(*shape)
        weight, bias = normal(shape[-1]), normal(shape[-1] + 1)[1:]
        result = mint.nn.functional.layer_norm(Tensor(x), shape[-1:], Tensor(weight), Tensor(bias))
        assert_close(result.asnumpy(), ref.layer_norm(x.astype(np.float64), shape[-1:], weight, bias))
        both = np.concatenate([x, x[::-1]], -1)
        expected = x.astype(np.float64) * ref.gelu(x[::-1].astype(np.float64))
        assert_close(native.geglu(Tensor(both)).asnumpy(), expected)

    def test_groups_far_from_zero(self):
        """The kernel sums the deviations after it knows the mean, so a large mean costs no precision."""
        x = (1000 + normal(2, 6, 50, 51)).astype(np.float32)
        weight, bias = normal(6), normal(6)
        expected = ref.group_norm(x.astype(np.float64), 3, weight, bias)
        result = mint.nn.functional.group_norm(Tensor(x), 3, Tensor(weight), Tensor(bias))
        # The inputs are rounded by 3e-5 around 1000, and so is the mean that the kernel subtracts.
        assert_close(result.asnumpy(), expected, 1e-4)

    @MODES
    @pytest.mark.parametrize("shift", [False, True])
    def test_group_norm_with_silu(self, compiled, shift):
        x, weight, bias, more = normal(2, 6, 5, 4), normal(6), 0.5 + normal(6), normal(2, 6)
        given = Tensor(more) if shift else native.settings(1, 0.0)

        def run(x, given, weight, bias):
            return native.group_norm(x, given, weight, bias, native.settings(3, 1e-5, 1e-5))[0]

        run = ms.jit(run) if compiled else run
        wide = x.astype(np.float64) + (more[:, :, None, None] if shift else 0)
        expected = ref.silu(ref.group_norm(wide, 3, weight, bias))
        assert_close(run(Tensor(x), given, Tensor(weight), Tensor(bias)).asnumpy(), expected)

    @pytest.mark.parametrize("shape", [(1, 5, 7, 3, 20), (2, 300, 77, 2, 40), (1, 13, 600, 1, 16), (1, 1, 1, 2, 8)])
    def test_attention(self, shape):
        batch, queries, keys, heads, width = shape
        query, key, value = (normal(batch, n, heads * width) for n in (queries, keys, keys + 1))
        value = value[:, 1:]
        result = native.attention(Tensor(3 * query), Tensor(key), Tensor(value), native.settings(heads, 0.3))

        def by_head(x):
            return x.astype(np.float64).reshape(batch, -1, heads, width).swapaxes(1, 2)

        scores = 3 * 0.3 * by_head(query) @ by_head(key).swapaxes(2, 3)
        expected = (ref.softmax(scores) @ by_head(value)).swapaxes(1, 2).reshape(query.shape)
        assert_close(result.asnumpy(), expected)

    def test_attention_to_one_key_only(self):
        """With scores of several thousand, the exponentials of all other keys are 0, and none overflows."""
        query, key, value = 300 * normal(1, 20, 8), 30 * normal(1, 700, 8), normal(1, 700, 9)[..., 1:]
        result = native.attention(Tensor(query), Tensor(key), Tensor(value), native.settings(1, 1.0))
        scores = query.astype(np.float64) @ key.astype(np.float64).swapaxes(1, 2)
        assert_close(result.asnumpy(), ref.softmax(scores) @ value.astype(np.float64), 1e-3)

    def test_inputs_that_are_views(self):
        x = normal(6, 8)
        for view, expected in ((mint.permute(Tensor(x), (1, 0)), x.T), (Tensor(x)[2:, 1:5], x[2:, 1:5])):
            assert_close(native.silu(view).asnumpy(), ref.silu(expected.astype(np.float64)))

    def test_empty_inputs(self):
        assert mint.nn.functional.silu(ops.zeros((0, 3))).shape == (0, 3)


def weighted(function, shapes):
    """A weighted sum of the output of a function, and arguments for it."""
    arrays = [normal(*shape) for shape in shapes]
    weights = Tensor(normal(*function(*map(Tensor, arrays)).shape))

    def total(*arguments):
        return (function(*arguments) * weights).sum()

    return total, [Tensor(array) for array in arrays]


def scores(query, key):
    heads = [x.reshape(2, x.shape[1], 3, 4).swapaxes(1, 2) for x in (query, key)]
    return mint.softmax(mint.matmul(heads[0], heads[1].swapaxes(2, 3)) * 0.5, dim=-1)


def stock_attention(query, key, value):
    result = mint.matmul(scores(query, key), value.reshape(2, value.shape[1], 3, 4).swapaxes(1, 2))
    return result.swapaxes(1, 2).reshape(query.shape)


def stock_group_norm(x, shift, weight, bias):
    x = (x + shift.reshape(2, 6, 1, 1)).reshape(2, 3, -1)
    x = (x - x.mean(-1, keep_dims=True)) / mint.sqrt(x.var(-1, keepdims=True) + 1e-5)
    x = x.reshape(2, 6, 5, 4) * weight.reshape(6, 1, 1) + bias.reshape(6, 1, 1)
    return x * mint.sigmoid(x)


def native_group_norm(x, shift, weight, bias):
    return native.group_norm(x, shift, weight, bias, native.settings(3, 1e-5, 1e-5))[0]


def native_attention(query, key, value):
    return native.attention(query, key, value, native.settings(3, 0.5))


def stock_geglu(x):
    return x[..., :4] * (0.5 * x[..., 4:] * (1 + ops.erf(x[..., 4:] / 2**0.5)))


def native_geglu(x):
    return native.geglu(x)


def native_sum(x, y, bias):
    return native.add_with_bias(x, y, bias)


def stock_sum(x, y, bias):
    return x + y + bias.reshape(6, 1, 1)


def stock_row_sum(x, y, bias):
    return x + y + bias


IMAGE = (2, 6, 5, 4)
FUSED = {
    "attention": (native_attention, stock_attention, ((2, 5, 12), (2, 7, 12), (2, 7, 12))),
    "group_norm": (native_group_norm, stock_group_norm, (IMAGE, (2, 6), (6,), (6,))),
    "geglu": (native_geglu, stock_geglu, ((2, 3, 8),)),
    "add_with_bias": (native_sum, stock_sum, (IMAGE, IMAGE, (6,))),
    "add_with_bias to rows": (native_sum, stock_row_sum, ((700, 6), (700, 6), (6,))),
}


@built
@pytest.mark.usefixtures("native_ones")
@MODES
@pytest.mark.parametrize("name", FUSED)
def test_gradients_of_fused_kernels(name, compiled):
    ours, theirs, shapes = FUSED[name]
    (total, arguments), (wanted, _) = weighted(ours, shapes), weighted(theirs, shapes)
    places = tuple(range(len(arguments)))
    gradient = ms.grad(total, places)
    gradient = ms.jit(gradient) if compiled else gradient
    found, expected = gradient(*arguments), ms.grad(wanted, places)(*arguments)
    if len(places) == 1:
        found, expected = (found,), (expected,)
    assert_close([g.asnumpy() for g in found], [g.asnumpy() for g in expected], 1e-4)


LOOK = """
import warnings
warnings.simplefilter("always")
from mindone_tcd import cpu
print("in use:", cpu.native_kernels())
cpu.enable()
from mindspore import mint
print("zero:", mint.nn.functional.silu(mint.zeros(3)).asnumpy().sum())
"""


def look(root=ROOT, **environment):
    """The report of a new process on the kernels of the package in `root`."""
    ran = subprocess.run(
        [sys.executable, "-c", LOOK],
        capture_output=True,
        text=True,
        env={**os.environ, "GLOG_v": "4", "PYTHONPATH": str(root), "MINDONE_TCD_NATIVE": "on", **environment},
        cwd=root,
        timeout=120,
        check=False,
    )
    assert "zero: 0.0" in ran.stdout, ran.stderr[-2000:]
    return ran.stdout + ran.stderr


def test_an_environment_variable_disables_native_kernels():
    assert "in use: False" in look(MINDONE_TCD_NATIVE="off")


def test_only_a_complete_library_of_this_source_is_used(tmp_path, monkeypatch):
    choose, content = native.library.__wrapped__, native.SOURCE.read_bytes()

    def lay(name, library=None, source=content):
        folder = tmp_path / name
        folder.mkdir()
        monkeypatch.setattr(native, "SOURCE", folder / native.SOURCE.name)
        native.SOURCE.write_bytes(source)
        path = folder / f"kernels{EXTENSION_SUFFIXES[0]}"
        if library is not None:
            path.write_bytes(library)
        return path

    lay("none")
    assert choose() is None
    lay("damaged", b"no library")
    with pytest.warns(UserWarning, match="cannot be loaded"):
        assert choose() is None
    if native.library() is None:
        return
    built = native.library().read_bytes()
    assert lay("whole", built) == choose()
    lay("changed", built, content + b"// changed\n")
    with pytest.warns(UserWarning, match="another version"):
        assert choose() is None


@pytest.mark.slow
def test_a_library_of_another_source_is_not_used(tmp_path):
    shutil.copytree(ROOT / "mindone_tcd", tmp_path / "mindone_tcd", ignore=shutil.ignore_patterns("weights", "*.so"))
    assert "in use: False" in look(tmp_path)
    if native.library() is None:
        return
    folder = tmp_path / "mindone_tcd" / "cpu" / "native"
    shutil.copy(native.library(), folder)
    assert "in use: True" in look(tmp_path)
    with open(folder / "kernels.cpp", "a") as source:
        source.write("// changed\n")
    said = look(tmp_path)
    assert "in use: False" in said
    assert "another version" in said
    (folder / native.library().name).write_bytes(b"no library")
    assert "cannot be loaded" in look(tmp_path)
