"""One denoising step on the device: x_next = A·x + B·m + C·z.

x is the sample, m the model output, z standard normal noise. The functions are pure. They use multiplication, addition
and casts only, so they run on every device, in PyNative mode and inside `ms.jit`.
"""

from __future__ import annotations

import mindspore as ms
from mindspore import ops


def affine_step(
    sample: ms.Tensor,
    model_output: ms.Tensor,
    noise: ms.Tensor | None,
    coefficients: tuple[float, float, float],
) -> ms.Tensor:
    """Take one denoising step as a pure function, for loops that are compiled together with the model.

    Args:
        sample: x, of any shape and floating dtype.
        model_output: m, of the same shape.
        noise: z, of the same shape; None where C is 0 (the last step, and every step of TCD with eta 0).
        coefficients: (A, B, C), one row of `scheduler.coefficients()`. Python floats become constants of the graph.
            Tensors of shape () stay inputs of the graph, so that other steps or another eta need no new graph.

    Returns:
        x_next, with the shape and dtype of `sample`, computed in float32 (float64 for a float64 sample).
    """
    work = working_dtype(sample)
    stepped = blend(coefficients[0], cast(sample, work), coefficients[1], cast(model_output, work))
    if noise is not None:
        stepped = stepped + times(cast(noise, work), coefficients[2])
    return cast(stepped, sample.dtype)


def blend(a: float, x: ms.Tensor, b: float, y: ms.Tensor) -> ms.Tensor:
    """Return a·x + b·y."""
    return times(x, a) + times(y, b)


def times(x: ms.Tensor, factor: float | ms.Tensor) -> ms.Tensor:
    """Return factor·x. Beside a float64 tensor, MindSpore would round a Python float to float32; this does not."""
    if x.dtype == ms.float64 and isinstance(factor, float):
        return x * ms.Tensor(factor, ms.float64)
    return x * factor


def cast(tensor: ms.Tensor, dtype: ms.Type) -> ms.Tensor:
    """Return `tensor` in `dtype`; no operation if it has that dtype already."""
    return tensor if tensor.dtype == dtype else ops.cast(tensor, dtype)


def working_dtype(sample: ms.Tensor) -> ms.Type:
    """Return the dtype to compute in: float64 for float64, else float32.

    Half precisions are not enough, because A and B reach 14 and nearly cancel. CPUs also cannot add bfloat16.
    """
    return ms.float64 if sample.dtype == ms.float64 else ms.float32


def dynamic_threshold(x0: ms.Tensor, ratio: float, largest: float) -> ms.Tensor:
    """Apply Imagen's dynamic thresholding (arXiv 2205.11487, section 2.3) without a read from the device.

    s is the `ratio` quantile of |x0| in each image, at least 1 and at most `largest`. x0 is clipped to [-s, s] and
    divided by s.

    Args:
        x0: shape (batch, …), float32 or float64.
        ratio: in [0, 1].
        largest: the upper bound of s; below 1 it takes precedence over the lower bound.

    Returns:
        A tensor of the shape and dtype of `x0`.
    """
    flat = x0.reshape((x0.shape[0], -1))
    ascending = ops.sort(ops.abs(flat), axis=1)[0]
    position = ratio * (flat.shape[1] - 1)
    low = int(position)
    high = min(low + 1, flat.shape[1] - 1)
    quantile = blend(1 - (position - low), ascending[:, low : low + 1], position - low, ascending[:, high : high + 1])
    s = ops.minimum(ops.maximum(quantile, 1.0), largest)
    return (ops.minimum(ops.maximum(flat, -s), s) / s).reshape(x0.shape)
