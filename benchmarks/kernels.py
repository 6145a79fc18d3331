"""Measure operations of a UNet: torch, MindSpore, and the kernels of mindone_tcd.cpu, in PyNative and graph mode.

    python benchmarks/kernels.py                       all operations at the shapes of three models
    python benchmarks/kernels.py --model sd15 --only attention group_norm
    python benchmarks/kernels.py --candidates          compare the stock equivalents that were tried

The table gives milliseconds per call and, in brackets, the ratio to torch. `mint` is MindSpore's own function ("-"
where the CPU backend has no kernel), `stock` is mindone_tcd.cpu with stock kernels, and `native` is mindone_tcd.cpu
with the kernels that a C++ compiler built. Each side has its own process. A run is a few calls on different inputs. In
graph mode they form one graph, as in a model.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from harness import THREADS, Contestant, machine, medians


@dataclass(frozen=True)
class Model:
    """A layer of a UNet: images of (1, channels, side, side), their tokens, the heads and the text beside it."""

    channels: int
    side: int
    heads: int
    text: tuple[int, int]
    calls: int  # in one run

    @property
    def tokens(self) -> int:
        return self.side**2


MODELS = {
    "shapes": Model(96, 8, 3, (24, 128), 16),
    "sd15": Model(320, 64, 8, (77, 768), 2),
    "sdxl": Model(640, 64, 10, (77, 2048), 2),
}


def inputs(model: Model) -> dict[str, tuple]:
    """By operation: the shapes of its tensors. The first tensor differs from call to call."""
    c, n, side = model.channels, model.tokens, model.side
    image, tokens, text = (1, c, side, side), (1, n, c), (1, model.text[0], c)
    return {
        "linear": (tokens, (c, c), (c,)),
        "linear to geglu": (tokens, (8 * c, c), (8 * c,)),
        "conv2d 3x3": (image, (c, c, 3, 3), (c,)),
        "conv2d 1x1": (image, (c, c, 1, 1), (c,)),
        "group_norm": (image, (c,), (c,)),
        "group_norm, silu": (image, (c,), (c,)),
        "layer_norm": (tokens, (c,), (c,)),
        "silu": (image,),
        "gelu": ((1, n, 4 * c),),
        "geglu": ((1, n, 8 * c),),
        "self-attention": (tokens, tokens, tokens),
        "cross-attention": (tokens, text, text),
        "upsample nearest": (image,),
        "add": (image, image),
        "chunk": ((1, n, 2 * c),),
    }


def arrays(model: Model, name: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
    first, *others = inputs(model)[name]
    rng = np.random.default_rng(0)

    def draw(shape: tuple[int, ...]) -> np.ndarray:
        return rng.standard_normal(shape).astype(np.float32)

    return [draw(first) for _ in range(model.calls)], [draw(shape) for shape in others]


def _by_head(x: Any, heads: int) -> Any:
    return x.reshape(x.shape[0], x.shape[1], heads, x.shape[2] // heads).swapaxes(1, 2)


def torch_runs(model: Model, names: list[str]) -> dict[str, Callable]:
    """Each operation by torch, eager."""
    import torch
    import torch.nn.functional as F

    torch.set_num_threads(THREADS)

    def attention(q: Any, k: Any, v: Any) -> Any:
        mixed = F.scaled_dot_product_attention(*(_by_head(x, model.heads) for x in (q, k, v)))
        return mixed.swapaxes(1, 2).reshape(q.shape)

    def geglu(x: Any) -> Any:
        linear, gate = x.chunk(2, dim=-1)
        return linear * F.gelu(gate)

    operations = {
        "linear": F.linear,
        "linear to geglu": F.linear,
        "conv2d 3x3": lambda x, w, b: F.conv2d(x, w, b, padding=1),
        "conv2d 1x1": F.conv2d,
        "group_norm": lambda x, w, b: F.group_norm(x, 32, w, b),
        "group_norm, silu": lambda x, w, b: F.silu(F.group_norm(x, 32, w, b)),
        "layer_norm": lambda x, w, b: F.layer_norm(x, w.shape, w, b),
        "silu": F.silu,
        "gelu": F.gelu,
        "geglu": geglu,
        "self-attention": attention,
        "cross-attention": attention,
        "upsample nearest": lambda x: F.interpolate(x, scale_factor=2.0),
        "add": torch.add,
        "chunk": lambda x: [part.contiguous() for part in x.chunk(2, dim=-1)],
    }

    def run_of(name: str) -> Callable:
        firsts, others = ([torch.from_numpy(a) for a in group] for group in arrays(model, name))

        def run() -> None:
            with torch.inference_mode():
                for first in firsts:
                    operations[name](first, *others)

        return run

    return {f"{name}|torch": run_of(name) for name in names}


def _mindspore_operations(model: Model, kernels: str) -> dict[str, Callable]:
    from mindspore import mint, ops

    F = mint.nn.functional
    if kernels != "mint":
        from mindone_tcd import cpu
        from mindone_tcd.cpu import native

        cpu.enable()
        cpu.use_native_kernels(kernels == "native")
        from mindone.diffusers.models.activations import GEGLU
        from mindone.diffusers.models.attention_processor import Attention

        width = model.channels // model.heads
        layer = Attention(model.channels, heads=model.heads, dim_head=width)
        gate = GEGLU(8, 8)
        gate.proj = mint.nn.Identity()

    def linear(x, w, b):
        return F.linear(x, w, b)

    def conv3(x, w, b):
        return F.conv2d(x, w, b, padding=1)

    def conv1(x, w, b):
        return F.conv2d(x, w, b)

    def group_norm(x, w, b):
        return F.group_norm(x, 32, w, b)

    def group_norm_silu(x, w, b):
        if kernels == "native":
            return native.group_norm(x, native.settings(1, 0.0), w, b, native.settings(32, 1e-5, 1e-5))[0]
        return F.silu(F.group_norm(x, 32, w, b))

    def layer_norm(x, w, b):
        return F.layer_norm(x, w.shape, w, b)

    def silu(x):
        return F.silu(x)

    def gelu(x):
        return F.gelu(x)

    def geglu(x):
        if kernels != "mint":
            return gate(x)
        a, g = mint.chunk(x, 2, dim=-1)
        return a * F.gelu(g)

    def attention(q, k, v):
        if kernels == "native":
            return native.attention(q, k, v, native.settings(model.heads, width**-0.5))
        heads = [mint.swapaxes(x.reshape(1, x.shape[1], model.heads, -1), 1, 2) for x in (q, k, v)]
        if kernels == "stock":
            mixed = layer.scaled_dot_product_attention(*heads)
        else:
            scores = mint.matmul(heads[0], mint.swapaxes(heads[1], 2, 3)) * (heads[0].shape[-1] ** -0.5)
            mixed = mint.matmul(mint.softmax(scores, dim=-1), heads[2])
        return ops.swapaxes(mixed, 1, 2).reshape(q.shape)

    def upsample(x):
        return F.interpolate(x, scale_factor=2.0, mode="nearest")

    def add(x, y):
        return x + y

    def chunk(x):
        return mint.chunk(x, 2, dim=-1)

    return {
        "linear": linear,
        "linear to geglu": linear,
        "conv2d 3x3": conv3,
        "conv2d 1x1": conv1,
        "group_norm": group_norm,
        "group_norm, silu": group_norm_silu,
        "layer_norm": layer_norm,
        "silu": silu,
        "gelu": gelu,
        "geglu": geglu,
        "self-attention": attention,
        "cross-attention": attention,
        "upsample nearest": upsample,
        "add": add,
        "chunk": chunk,
    }


def _candidates(model: Model) -> dict[str, tuple[str, Callable]]:
    """Stock equivalents that were tried, by "what: how": the operation that has the same inputs, and the function."""
    from mindspore import ops
    from mindspore.ops import operations as P

    from mindone_tcd import cpu
    from mindone_tcd.cpu import convolution, linear, native, normalization

    cpu.enable()
    cpu.use_native_kernels(False)
    statistics, dense, gelu = P.BatchNorm(is_training=True, epsilon=1e-5), P.Dense(), P.GeLU()
    product, layer_norm = P.MatMul(transpose_b=True), P.LayerNorm(2, 2, 1e-5)
    multiply, add_bias = P.Mul(), P.BiasAdd()
    ones = {size: ops.ones(size) for size in (32, model.tokens)}
    zeros = {size: ops.zeros(size) for size in (32, model.tokens)}

    def statistics_of(x, rows):
        constants = ones[rows], zeros[rows], zeros[rows], ones[rows]
        return statistics(x.reshape(1, rows, -1, 1), *constants)[0].reshape(x.shape)

    def group_by_batch_norm(x, w, b):
        y = multiply(statistics_of(x, 32), w.reshape(1, -1, 1, 1))
        return add_bias(y, b)

    def group_by_layer_norm(x, w, b):
        groups = x.reshape(1, 32, -1)
        width = groups.shape[2]
        y = layer_norm(groups, native.settings(width, 1.0).reshape(-1), native.settings(width, 0.0).reshape(-1))[0]
        return add_bias(multiply(y.reshape(x.shape), w.reshape(1, -1, 1, 1)), b)

    def layer_by_batch_norm(x, w, b):
        rows = statistics_of(x, model.tokens).reshape(model.tokens, -1)
        return add_bias(multiply(rows, w), b).reshape(x.shape)

    def layer_by_primitive(x, w, b):
        return normalization.layer_norm(x, w.shape, w, b)

    def group_by_primitive(x, w, b):
        return normalization.group_norm(x, 32, w, b)

    def linear_by_dense(x, w, b):
        return dense(x, w, b)

    def linear_by_product(x, w, b):
        return linear.linear(x, w, b)

    def linear_and_sum(x, w, b):
        return product(x.reshape(-1, w.shape[1]), w) + b

    def conv_and_sum(x, w, b):
        return convolution.conv2d(x, w, None, padding=1) + b.reshape(1, -1, 1, 1)

    def conv_and_bias(x, w, b):
        return convolution.conv2d(x, w, b, padding=1)

    def gelu_primitive(x):
        return gelu(x)

    def gelu_written_out(x):
        return 0.5 * x * (1.0 + ops.erf(x * 0.7071067811865476))

    def silu_primitive(x):
        return ops.silu(x)

    def silu_written_out(x):
        return x * ops.sigmoid(x)

    return {
        "group_norm: GroupNorm": ("group_norm", group_by_primitive),
        "group_norm: BatchNorm over groups": ("group_norm", group_by_batch_norm),
        "group_norm: LayerNorm over groups": ("group_norm", group_by_layer_norm),
        "layer_norm: LayerNorm": ("layer_norm", layer_by_primitive),
        "layer_norm: BatchNorm over rows": ("layer_norm", layer_by_batch_norm),
        "linear: MatMul, BiasAdd": ("linear", linear_by_product),
        "linear: MatMul, broadcasting sum": ("linear", linear_and_sum),
        "linear: Dense": ("linear", linear_by_dense),
        "conv2d: Conv2D, BiasAdd": ("conv2d 3x3", conv_and_bias),
        "conv2d: Conv2D, broadcasting sum": ("conv2d 3x3", conv_and_sum),
        "gelu: GeLU": ("gelu", gelu_primitive),
        "gelu: Erf": ("gelu", gelu_written_out),
        "silu: ops.silu": ("silu", silu_primitive),
        "silu: Sigmoid": ("silu", silu_written_out),
    }


def mindspore_runs(model: Model, names: list[str], kernels: str, compiled: bool) -> dict[str, Callable]:
    """Each operation by MindSpore: `kernels` is mint, stock, native or candidates."""
    import mindspore as ms

    if kernels == "candidates":
        chosen = _candidates(model)
    else:
        operations = _mindspore_operations(model, kernels)
        chosen = {name: (name, operations[name]) for name in names}

    def run_of(like: str, operation: Callable) -> Callable:
        firsts, others = (tuple(ms.Tensor(a) for a in group) for group in arrays(model, like))

        def every(firsts, others):
            results = ()
            for first in firsts:
                results = (*results, operation(first, *others))
            return results

        every = ms.jit(every, jit_level="O0") if compiled else every

        def run() -> None:
            every(firsts, others)
            ms.runtime.synchronize()

        return run

    mode = "graph" if compiled else "pynative"
    runs = {}
    for name, (like, operation) in chosen.items():
        run = run_of(like, operation)
        try:
            run()
        except Exception:  # the CPU backend has no such kernel
            continue
        runs[f"{name}|{kernels} {mode}"] = run
    return runs


def table(model: Model, names: list[str], kinds: list[str], rounds: int) -> None:
    """Measure and print one model's table."""
    modes = [(kind, compiled) for kind in kinds for compiled in (False, True)]
    contestants = [Contestant(torch_runs, model, [name for name in names if ":" not in name])]
    contestants += [Contestant(mindspore_runs, model, names, kind, compiled) for kind, compiled in modes]
    found = {name: 1e3 * seconds / model.calls for name, seconds in medians(contestants, rounds).items()}
    for contestant in contestants:
        contestant.close()
    columns = [f"{kind} {'graph' if compiled else 'pynative'}" for kind, compiled in modes]
    rows = dict.fromkeys(name.partition("|")[0] for name in found)
    print(f"{'':34}{'torch':>9}" + "".join(f"{column:>21}" for column in columns))
    for row in rows:
        torch_time = found.get(f"{row}|torch")
        line = f"{row:34}" + (f"{torch_time:9.3f}" if torch_time else f"{'':9}")
        for column in columns:
            value = found.get(f"{row}|{column}")
            ratio = f" ({value / torch_time:5.1f})" if value and torch_time else " " * 8
            line += f"{value:13.3f}{ratio}" if value else f"{'-':>13}{'':8}"
        print(line)
    print(flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=MODELS, nargs="+", default=list(MODELS))
    parser.add_argument("--only", nargs="+", default=[], help="operations whose names contain one of these words")
    parser.add_argument("--kinds", nargs="+", choices=("mint", "stock", "native"), default=["mint", "stock", "native"])
    parser.add_argument("--candidates", action="store_true", help="compare the stock equivalents that were tried")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(machine("mindspore", "mindone", "torch"), end=f", {THREADS} threads, float32\n\n")
    for name in options.model:
        model = MODELS[name]
        names = [n for n in inputs(model) if not options.only or any(word in n for word in options.only)]
        layer = f"images (1, {model.channels}, {model.side}, {model.side}), {model.heads} heads"
        print(f"{name}: {layer}, {model.text[0]} words of text; milliseconds a call")
        kinds = ["candidates"] if options.candidates else options.kinds
        table(model, [] if options.candidates else names, kinds, options.rounds)


if __name__ == "__main__":
    main()
