"""List the functions of MindSpore that are replaced on a CPU, and the kernels that replace them."""

from __future__ import annotations

KERNELS: dict[str, str] = {
    # creation
    "mint.arange": "creation.arange",
    "mint.linspace": "creation.linspace",
    "mint.full": "creation.full",
    "mint.zeros_like": "creation.zeros_like",
    "mint.ones_like": "creation.ones_like",
    "mint.full_like": "creation.full_like",
    "mint.empty": "creation.empty",
    "mint.empty_like": "creation.empty_like",
    # random
    "mint.randn": "random.randn",
    "mint.randn_like": "random.randn_like",
    "mint.rand": "random.rand",
    "mint.rand_like": "random.rand_like",
    "mint.randint": "random.randint",
    "mint.randperm": "random.randperm",
    "mint.normal": "random.normal",
    # shape
    "mint.stack": "shape.stack",
    "mint.split": "shape.split",
    "mint.chunk": "shape.chunk",
    "mint.narrow": "shape.narrow",
    "mint.transpose": "shape.transpose",
    "mint.swapaxes": "shape.swapaxes",
    "mint.repeat_interleave": "shape.repeat_interleave",
    "mint.roll": "shape.roll",
    "mint.tril": "shape.tril",
    "mint.diag": "shape.diag",
    "mint.index_select": "shape.index_select",
    # linear algebra
    "mint.nn.functional.linear": "linear.linear",
    "mint.nn.Linear.construct": "linear.linear_construct",
    "mint.mm": "linear.mm",
    "mint.addmm": "linear.addmm",
    "mint.baddbmm": "linear.baddbmm",
    "mint.outer": "linear.outer",
    # convolution
    "mint.nn.functional.conv2d": "convolution.conv2d",
    "mint.nn.Conv2d.construct": "convolution.conv2d_construct",
    "mint.nn.functional.conv_transpose2d": "convolution.conv_transpose2d",
    "mint.nn.ConvTranspose2d.construct": "convolution.conv_transpose2d_construct",
    "mint.nn.functional.avg_pool2d": "convolution.avg_pool2d",
    "mint.nn.AvgPool2d.construct": "convolution.avg_pool2d_construct",
    # normalization
    "mint.nn.functional.layer_norm": "normalization.layer_norm",
    "mint.nn.LayerNorm.construct": "normalization.layer_norm_construct",
    "mint.nn.functional.group_norm": "normalization.group_norm",
    "mint.nn.GroupNorm.construct": "normalization.group_norm_construct",
    "mint.nn.functional.normalize": "normalization.normalize",
    # activation
    "mint.exp": "activation.exp",
    "mint.round": "activation.round",
    "mint.nn.functional.gelu": "activation.gelu",
    "mint.nn.functional.silu": "activation.silu",
    "mint.nn.SiLU.construct": "activation.silu_construct",
    "mint.nn.functional.softplus": "activation.softplus",
    "mint.nn.functional.mish": "activation.mish",
    "mint.nn.functional.relu6": "activation.relu6",
    "mint.nn.functional.dropout": "activation.dropout",
    "mint.nn.Dropout.construct": "activation.dropout_construct",
    # lookup, loss
    "mint.nn.functional.embedding": "lookup.embedding",
    "mint.nn.Embedding.construct": "lookup.embedding_construct",
    "mint.nn.functional.one_hot": "lookup.one_hot",
    "mint.nn.functional.mse_loss": "loss.mse_loss",
    "mint.nn.functional.l1_loss": "loss.l1_loss",
    # resize
    "mint.nn.functional.pad": "resize.pad",
    "mint.nn.functional.interpolate": "resize.interpolate",
    # reduction, ordering
    "mint.var": "reduction.var",
    "mint.std": "reduction.std",
    "mint.norm": "reduction.norm",
    "mint.linalg.vector_norm": "reduction.vector_norm",
    "mint.logsumexp": "reduction.logsumexp",
    "mint.cumsum": "reduction.cumsum",
    "mint.count_nonzero": "reduction.count_nonzero",
    "mint.equal": "reduction.equal",
    "mint.argmax": "reduction.argmax",
    "mint.argmin": "reduction.argmin",
    "mint.sort": "ordering.sort",
    "mint.argsort": "ordering.argsort",
    "mint.topk": "ordering.topk",
    # Tensor methods whose Python side MindSpore looks up at call time (PyNative mode only)
    "ops.tensor_method.tensor_repeat_interleave_ext": "shape.repeat_interleave",
    "ops.tensor_method.tensor_repeat": "shape.repeat",
    "ops.tensor_method.tensor_roll": "shape.roll",
}
"""The replaced names in `mindspore`, and the names of their replacements in `mindone_tcd.cpu`."""
