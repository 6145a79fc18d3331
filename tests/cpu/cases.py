"""The cases: a mint function, its arguments, and the same computation in NumPy."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import numpy_reference as ref


@dataclass
class Case:
    """`name(*arrays, **options)` should equal `expected(*arrays)`; arrays are random floats of the given shapes."""

    name: str
    arrays: tuple
    expected: Callable
    options: dict[str, Any] = field(default_factory=dict)
    gradient: bool = True
    graph: bool = True
    second: tuple = ()  # arguments between the first array and the others

    def call(self, function, *arrays):
        """Call `function` with the arrays and options of the case."""
        return function(arrays[0], *self.second, *arrays[1:], **self.options)

    @property
    def label(self) -> str:
        options = "-".join(f"{key}={value}" for key, value in self.options.items())
        return "-".join(part for part in (self.name.removeprefix("mint."), options) if part)

    def inputs(self) -> list[np.ndarray]:
        """Convert shapes to standard normal float32 arrays, and return arrays unchanged."""
        source = np.random.default_rng(7)
        return [
            entry if isinstance(entry, np.ndarray) else source.standard_normal(entry).astype(np.float32)
            for entry in self.arrays
        ]


F = "mint.nn.functional."
X = (2, 4, 6, 5)
IDS = np.array([[1, 5, 2], [0, 2, 2]])
DISTINCT = np.random.default_rng(1).permutation(24).reshape(4, 6).astype(np.float32)
HALVES = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.4999, 7.0], np.float32)
POSITIVE_BATCH = ((3, 4), (2, 3, 5), (2, 5, 4))


def case(name, arrays, expected, gradient=True, graph=True, second=(), **options):
    return Case(name, arrays, expected, options, gradient, graph, second)


LINEAR = [
    case(F + "linear", ((2, 3, 6), (4, 6), (4,)), ref.linear),
    case(F + "linear", ((3, 6), (4, 6)), ref.linear),
    case(F + "linear", ((6,), (4, 6), (4,)), ref.linear),
    case("mint.mm", ((3, 6), (6, 4)), np.matmul),
    case("mint.addmm", ((4,), (3, 6), (6, 4)), lambda c, a, b: 0.5 * c + 2 * (a @ b), beta=0.5, alpha=2),
    case("mint.addmm", ((4,), (3, 6), (6, 4)), lambda c, a, b: a @ b, gradient=False, beta=0),
    case("mint.baddbmm", ((2, 3, 4), (2, 3, 5), (2, 5, 4)), lambda c, a, b: c + a @ b),
    case("mint.baddbmm", POSITIVE_BATCH, lambda c, a, b: -c + 0.3 * (a @ b), beta=-1, alpha=0.3),
    case("mint.outer", ((3,), (4,)), np.outer),
    case("mint.bmm", ((2, 3, 5), (2, 5, 4)), np.matmul),
    case("mint.matmul", ((2, 3, 5), (5, 4)), np.matmul),
]

CONVOLUTION = [
    case(F + "conv2d", (X, (3, 4, 3, 3), (3,)), lambda x, w, b: ref.conv2d(x, w, b, pads=(1, 1, 1, 1)), padding=1),
    case(F + "conv2d", (X, (3, 4, 1, 1)), ref.conv2d),
    case(
        F + "conv2d",
        (X, (4, 2, 3, 2), (4,)),
        lambda x, w, b: ref.conv2d(x, w, b, (2, 1), (2, 2, 1, 1), (2, 1), 2),
        stride=(2, 1),
        padding=(2, 1),
        dilation=(2, 1),
        groups=2,
    ),
    case(F + "conv2d", (X, (4, 1, 3, 3)), lambda x, w: ref.conv2d(x, w, groups=4), padding="valid", groups=4),
    case(F + "conv2d", (X, (2, 4, 4, 3)), lambda x, w: ref.conv2d(x, w, pads=(1, 2, 1, 1)), padding="same"),
    case(F + "conv2d", (X[1:], (2, 4, 3, 3)), lambda x, w: ref.conv2d(x[None], w)[0]),
    case(F + "conv_transpose2d", (X, (4, 3, 2, 2), (3,)), lambda x, w, b: ref.conv_transpose2d(x, w, b, 2), stride=2),
    case(
        F + "conv_transpose2d",
        (X, (4, 2, 3, 3)),
        lambda x, w: ref.conv_transpose2d(x, w, None, 2, 1, 1),
        stride=2,
        padding=1,
        output_padding=1,
    ),
    case(F + "avg_pool2d", (X,), lambda x: ref.avg_pool2d(x, 2, 2), kernel_size=2),
    case(F + "avg_pool2d", (X,), lambda x: ref.avg_pool2d(x, 2, 2, ceil_mode=True), kernel_size=2, ceil_mode=True),
    case(
        F + "avg_pool2d",
        (X,),
        lambda x: ref.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
        kernel_size=3,
        stride=2,
        padding=1,
        count_include_pad=False,
    ),
    case(F + "avg_pool2d", (X,), lambda x: ref.avg_pool2d(x, 2, 2) * 4 / 3, kernel_size=2, divisor_override=3),
]

NORMALIZATION = [
    case(
        F + "layer_norm",
        ((2, 3, 8), (8,), (8,)),
        lambda x, w, b: ref.layer_norm(x, (8,), w, b),
        second=((8,),),
    ),
    case(
        F + "layer_norm", ((2, 3, 8),), lambda x: ref.layer_norm(x, (3, 8), eps=0.1), normalized_shape=(3, 8), eps=0.1
    ),
    case(F + "group_norm", (X, (4,), (4,)), lambda x, w, b: ref.group_norm(x, 2, w, b), second=(2,)),
    case(F + "normalize", (X,), lambda x: x / ref.norm(x, 2, 1, True)),
    case(F + "normalize", (X,), lambda x: x / ref.norm(x, 1, -1, True), p=1.0, dim=-1),
]

ACTIVATION = [
    case("mint.exp", ((40, 3),), np.exp),
    case("mint.round", (HALVES,), np.round, gradient=False),
    case("mint.round", (HALVES / 8,), lambda x: np.round(x, 3), gradient=False, decimals=3),
    case("mint.round", (HALVES * 10,), lambda x: np.round(x, -1), gradient=False, decimals=-1),
    case("mint.round", (IDS,), np.round, gradient=False),
    case(F + "gelu", ((40, 3),), ref.gelu),
    case(F + "gelu", ((40, 3),), ref.gelu_tanh, approximate="tanh"),
    case(F + "silu", ((40, 3),), ref.silu),
    case(F + "softplus", ((40, 3),), ref.softplus),
    case(F + "softplus", ((40, 3),), lambda x: ref.softplus(x, 3.0, 2.0), beta=3, threshold=2),
    case(F + "mish", ((40, 3),), lambda x: x * np.tanh(ref.softplus(x))),
    case(F + "relu6", (np.array([-3.0, 0.5, 5.0, 7.0], np.float32),), lambda x: np.clip(x, 0, 6)),
    case(F + "softmax", ((3, 7),), ref.softmax, dim=-1),
    case(F + "dropout", ((3, 4),), lambda x: x, p=0.5, training=False),
    case(F + "dropout", ((3, 4),), lambda x: 0 * x, p=1.0),
]

LOOKUP = [
    case(F + "embedding", (IDS, (6, 4)), ref.embedding),
    case(F + "embedding", (IDS, (6, 4)), ref.embedding, gradient=False, padding_idx=2),
    case(F + "one_hot", (IDS,), lambda i: np.eye(7)[i], gradient=False, num_classes=7),
    case(F + "one_hot", (IDS,), lambda i: np.eye(6)[i], gradient=False, graph=False),
]

LOSS = [
    case(F + "mse_loss", ((3, 4), (3, 4)), lambda a, b: np.square(a - b).mean()),
    case(F + "mse_loss", ((3, 4), (3, 4)), lambda a, b: np.square(a - b), reduction="none"),
    case(F + "l1_loss", ((3, 4), (3, 4)), lambda a, b: np.abs(a - b).sum(), reduction="sum"),
    case(F + "l1_loss", ((3, 4), (3, 4)), lambda a, b: np.abs(a - b).mean()),
]

RESIZE = [
    case(F + "pad", (X,), lambda x: np.pad(x, ((0, 0), (0, 0), (0, 1), (0, 1))), pad=(0, 1, 0, 1)),
    case(
        F + "pad",
        (X,),
        lambda x: np.pad(x, ((0, 0),) * 3 + ((2, 0),), constant_values=3.5)[:, :, 1:],
        pad=(2, 0, -1, 0),
        value=3.5,
    ),
    case(F + "pad", (np.arange(2**40, 2**40 + 3),), lambda x: np.pad(x, 1), gradient=False, pad=(1, 1)),
    case(
        F + "pad",
        (np.array([True, False]),),
        lambda x: np.pad(x, 1, constant_values=True),
        gradient=False,
        pad=(1, 1),
        value=True,
    ),
    case(
        F + "pad",
        (X,),
        lambda x: np.pad(x, ((0, 0), (0, 0), (1, 2), (3, 0)), "reflect"),
        pad=(3, 0, 1, 2),
        mode="reflect",
    ),
    case(
        F + "pad",
        (X,),
        lambda x: np.pad(x, ((0, 0), (0, 0), (1, 2), (3, 0)), "edge"),
        pad=(3, 0, 1, 2),
        mode="replicate",
    ),
    case(
        F + "pad",
        (X,),
        lambda x: np.pad(x, ((0, 0), (0, 0), (1, 2), (3, 0)), "wrap"),
        pad=(3, 0, 1, 2),
        mode="circular",
    ),
    case(F + "interpolate", (X,), lambda x: ref.resize(x, (12, 10), "nearest"), scale_factor=2.0),
    case(F + "interpolate", (X,), lambda x: ref.resize(x, (9, 3), "nearest"), size=(9, 3), mode="nearest"),
    case(
        F + "interpolate",
        (X,),
        lambda x: ref.resize(x, (9, 7), "bilinear"),
        scale_factor=1.5,
        mode="bilinear",
        recompute_scale_factor=True,
    ),
    case(F + "interpolate", (X,), lambda x: ref.resize(x, (9, 11), "bilinear"), size=(9, 11), mode="bilinear"),
    case(
        F + "interpolate",
        (X,),
        lambda x: ref.resize(x, (9, 3), "bilinear", True),
        size=(9, 3),
        mode="bilinear",
        align_corners=True,
    ),
    case(
        F + "interpolate",
        (X,),
        lambda x: ref.resize(x, (12, 10), "bicubic"),
        size=(12, 10),
        mode="bicubic",
        align_corners=False,
    ),
]

REDUCTION = [
    case("mint.var", ((3, 4, 5),), lambda x: x.var(ddof=1)),
    case("mint.var", ((3, 4, 5),), lambda x: x.var((0, 2), keepdims=True), dim=(0, 2), correction=0, keepdim=True),
    case("mint.std", ((3, 4, 5),), lambda x: x.std((1, 2), ddof=1), dim=(1, 2)),
    case("mint.norm", ((3, 4),), lambda x: ref.norm(x, 2)),
    case("mint.norm", ((3, 4),), lambda x: ref.norm(x, 3, 1, True), p=3, dim=1, keepdim=True),
    case("mint.norm", ((3, 4),), lambda x: np.abs(x).max(1), p=float("inf"), dim=1),
    case("mint.norm", ((3, 4),), lambda x: np.abs(x).min(0), p=-float("inf"), dim=0),
    case("mint.linalg.vector_norm", ((3, 4),), lambda x: ref.norm(x, 1, -1), ord=1, dim=-1),
    case("mint.logsumexp", ((3, 4),), lambda x: np.log(np.exp(x).sum(1)), dim=1),
    case(
        "mint.logsumexp",
        (np.array([[1e4, 1e4], [-np.inf, 0]], np.float32),),
        lambda x: np.array([[1e4 + np.log(2)], [0]]),
        gradient=False,
        dim=1,
        keepdim=True,
    ),
    case("mint.cumsum", ((3, 4),), lambda x: x.cumsum(1), dim=1),
    case("mint.cumsum", (np.array([True, True, False]),), lambda x: x.cumsum(), gradient=False, dim=0),
    case(
        "mint.count_nonzero",
        (np.array([[0, 3, 1], [0, 0, 1]]),),
        lambda x: np.count_nonzero(x, 1),
        gradient=False,
        dim=1,
    ),
    case("mint.argmax", (DISTINCT,), np.argmax, gradient=False),
    case(
        "mint.argmax",
        (DISTINCT.astype(np.int64),),
        lambda x: x.argmax(-1)[:, None],
        gradient=False,
        dim=-1,
        keepdim=True,
    ),
    case("mint.argmin", (DISTINCT,), lambda x: x.argmin(0), gradient=False, dim=0),
    case("mint.argsort", (DISTINCT,), lambda x: x.argsort(0)[::-1], gradient=False, dim=0, descending=True),
    case("mint.sort", (DISTINCT,), lambda x: (np.sort(x, 1), x.argsort(1)), gradient=False, dim=1),
    case("mint.topk", (DISTINCT,), lambda x: (-np.sort(-x, 1)[:, :2], (-x).argsort(1)[:, :2]), gradient=False, k=2),
    case(
        "mint.topk",
        (DISTINCT,),
        lambda x: (np.sort(x, 0)[:3], x.argsort(0)[:3]),
        gradient=False,
        k=3,
        dim=0,
        largest=False,
    ),
]

SHAPE = [
    case("mint.split", ((4, 7),), lambda x: (x[:, :3], x[:, 3:6], x[:, 6:]), split_size_or_sections=3, dim=1),
    case("mint.split", ((4, 7),), lambda x: (x[:1], x[1:]), split_size_or_sections=(1, 3)),
    case("mint.chunk", ((2, 3, 8),), lambda x: (x[..., :4], x[..., 4:]), chunks=2, dim=-1),
    case("mint.chunk", ((5, 2),), lambda x: (x[:2], x[2:4], x[4:]), chunks=3),
    case("mint.chunk", ((2, 3),), lambda x: (x[:1], x[1:]), chunks=5),
    case("mint.narrow", ((4, 7),), lambda x: x[:, 2:5], dim=1, start=2, length=3),
    case("mint.transpose", ((2, 3, 4),), lambda x: x.swapaxes(1, 2), dim0=-1, dim1=1),
    case("mint.swapaxes", ((2, 3, 4),), lambda x: x.swapaxes(0, 2), axis0=0, axis1=2),
    case("mint.repeat_interleave", ((2, 3),), lambda x: x.repeat(2, 1), repeats=2, dim=1),
    case("mint.repeat_interleave", ((2, 3),), lambda x: x.repeat(2), repeats=2),
    case("mint.roll", ((3, 4),), lambda x: np.roll(x, (1, -2), (0, 1)), shifts=(1, -2), dims=(0, 1)),
    case("mint.roll", ((3, 4),), lambda x: np.roll(x, 5), shifts=5),
    case("mint.tril", ((3, 4),), lambda x: np.tril(x, -1), diagonal=-1),
    case("mint.triu", ((3, 4),), lambda x: np.triu(x, 1), diagonal=1),
    case("mint.diag", ((3,),), lambda x: np.diag(x, 2), diagonal=2),
    case("mint.diag", ((3,),), lambda x: np.diag(x, -1), diagonal=-1),
    case("mint.diag", ((3, 5),), lambda x: np.diag(x, 3), diagonal=3),
    case("mint.diag", ((5, 3),), lambda x: np.diag(x, -1), diagonal=-1),
    case("mint.zeros_like", ((2, 3),), np.zeros_like, gradient=False),
    case("mint.ones_like", (IDS,), np.ones_like, gradient=False),
    case("mint.full_like", (IDS,), lambda x: np.full_like(x, 3), gradient=False, fill_value=3),
]

CASES = LINEAR + CONVOLUTION + NORMALIZATION + ACTIVATION + LOOKUP + LOSS + RESIZE + REDUCTION + SHAPE
