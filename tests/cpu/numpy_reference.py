"""The expected results of the kernels, in plain NumPy (float64 in, float64 out)."""

import math

import numpy as np

erf = np.vectorize(math.erf, otypes=[np.float64])


def linear(x, w, b=None):
    return x @ w.T + (0 if b is None else b)


def conv2d(x, w, b=None, stride=(1, 1), pads=(0, 0, 0, 0), dilation=(1, 1), groups=1):
    x = np.pad(x, ((0, 0), (0, 0), pads[:2], pads[2:]))
    out_channels, per_group, kh, kw = w.shape
    height = (x.shape[2] - dilation[0] * (kh - 1) - 1) // stride[0] + 1
    width = (x.shape[3] - dilation[1] * (kw - 1) - 1) // stride[1] + 1
    y = np.zeros((x.shape[0], out_channels, height, width))
    share = out_channels // groups
    for o in range(out_channels):
        first = o // share * per_group
        for c in range(per_group):
            for i in range(kh):
                for j in range(kw):
                    rows = slice(i * dilation[0], i * dilation[0] + stride[0] * (height - 1) + 1, stride[0])
                    cols = slice(j * dilation[1], j * dilation[1] + stride[1] * (width - 1) + 1, stride[1])
                    y[:, o] += w[o, c, i, j] * x[:, first + c, rows, cols]
    return y if b is None else y + b[:, None, None]


def conv_transpose2d(x, w, b=None, stride=1, padding=0, output_padding=0, groups=1):
    batch, channels, height, width = x.shape
    share, (kh, kw) = w.shape[1], w.shape[2:]
    full = [(n - 1) * stride + k + output_padding for n, k in ((height, kh), (width, kw))]
    y = np.zeros((batch, share * groups, *full))
    for c in range(channels):
        first = c // (channels // groups) * share
        for o in range(share):
            for i in range(height):
                for j in range(width):
                    patch = y[:, first + o, i * stride : i * stride + kh, j * stride : j * stride + kw]
                    patch += x[:, c, i, j, None, None] * w[c, o]
    y = y[:, :, padding : full[0] - padding, padding : full[1] - padding]
    return y if b is None else y + b[:, None, None]


def avg_pool2d(x, kernel, stride, padding=0, ceil_mode=False, count_include_pad=True):
    rounded = math.ceil if ceil_mode else math.floor
    sides = [rounded((n + 2 * padding - kernel) / stride) + 1 for n in x.shape[2:]]
    y = np.zeros((*x.shape[:2], *sides))
    for i in range(sides[0]):
        for j in range(sides[1]):
            top, left = i * stride - padding, j * stride - padding
            window = x[:, :, max(top, 0) : top + kernel, max(left, 0) : left + kernel]
            within = [
                min(start + kernel, n + padding) - start for start, n in zip((top, left), x.shape[2:], strict=True)
            ]
            number = within[0] * within[1] if count_include_pad else window.shape[2] * window.shape[3]
            y[:, :, i, j] = window.sum((2, 3)) / number
    return y


def layer_norm(x, shape, w=None, b=None, eps=1e-5):
    axes = tuple(range(x.ndim - len(shape), x.ndim))
    y = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)
    return y * (1 if w is None else w) + (0 if b is None else b)


def group_norm(x, groups, w=None, b=None, eps=1e-5):
    flat = x.reshape(x.shape[0], groups, -1)
    y = layer_norm(flat, flat.shape[2:], eps=eps).reshape(x.shape)
    channel = (-1,) + (1,) * (x.ndim - 2)
    return y * (1 if w is None else w.reshape(channel)) + (0 if b is None else b.reshape(channel))


def gelu(x):
    return 0.5 * x * (1 + erf(x / math.sqrt(2)))


def gelu_tanh(x):
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def silu(x):
    return x / (1 + np.exp(-x))


def softplus(x, beta=1.0, threshold=20.0):
    return np.where(x * beta > threshold, x, np.log1p(np.exp(np.minimum(x * beta, threshold))) / beta)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def _cubic(t, a=-0.75):
    t = abs(t)
    if t <= 1:
        return (a + 2) * t**3 - (a + 3) * t**2 + 1
    return a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a if t < 2 else 0.0


def _resampling(old, new, mode, align_corners):
    """The (new, old) matrix that resizes one side."""
    weights = np.zeros((new, old))
    for i in range(new):
        if mode == "nearest":
            weights[i, i * old // new] = 1
            continue
        centre = i * (old - 1) / max(new - 1, 1) if align_corners else (i + 0.5) * old / new - 0.5
        if mode == "bilinear":
            centre = max(centre, 0.0)
        low = math.floor(centre)
        for tap in (low, low + 1) if mode == "bilinear" else range(low - 1, low + 3):
            weight = max(0.0, 1 - abs(centre - tap)) if mode == "bilinear" else _cubic(centre - tap)
            weights[i, min(max(tap, 0), old - 1)] += weight
    return weights


def resize(x, size, mode, align_corners=False):
    rows = _resampling(x.shape[2], size[0], mode, align_corners)
    columns = _resampling(x.shape[3], size[1], mode, align_corners)
    return np.einsum("ih,nchw,jw->ncij", rows, x, columns)


def embedding(ids, w):
    return w[ids]


def norm(x, p, axis=None, keepdims=False):
    axis = tuple(range(x.ndim)) if axis is None else axis
    return (np.abs(x) ** p).sum(axis, keepdims=keepdims) ** (1 / p)
