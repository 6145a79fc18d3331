"""Attention: softmax(query · keyᵀ · scale + mask) · value, for mindone's `Attention` layers.

Without a mask, the native kernel computes everything and reads queries, keys and values in the layout of the
projections. The stock implementation computes slices of the queries, because softmax is per query: the scores of SD
1.5's largest layer would take 537 MB at once.
"""

from collections.abc import Callable

import mindspore as ms
import numpy as np
from mindspore import mint, ops
from mindspore.ops import operations as P
from mindspore.ops._primitive_cache import _get_cache_prim
from mindspore.ops.primitive import _primexpr

from . import native

SCORES_AT_ONCE = 32 << 20  # 134 MB; 4 to 8 slices of 8×4096×4096 take 0.8 to 0.9 of the time of one in graph mode


def get_attention_scores(self, query, key, attention_mask=None):
    """`Attention.get_attention_scores`: softmax(query · keyᵀ · scale + mask), (batch·heads, queries, keys).

    The product reads the keys without a transposed copy, and only the queries are scaled: 0.68 of mindone's time
    (4×1024×64).
    """
    dtype = query.dtype
    if self.upcast_attention:
        query = query.float()
        key = key.float()
    scores = _get_cache_prim(P.BatchMatMul)(transpose_b=True)(query * (self.scale_sqrt * self.scale_sqrt), key)
    if attention_mask is not None:
        scores = scores + attention_mask.to(query.dtype)
    if self.upcast_softmax:
        scores = scores.float()
    return mint.softmax(scores, dim=-1).to(dtype)


@_primexpr
def _least(dtype):
    return float(np.finfo(ms.dtype_to_nptype(dtype)).min)


@_primexpr
def _slices(matrices, queries, keys):
    """Return ((first, length), …) of the queries so that a slice has about SCORES_AT_ONCE scores."""
    number = max(1, min(queries, -(-matrices * queries * keys // SCORES_AT_ONCE)))
    length = -(-queries // number)
    return tuple((first, min(length, queries - first)) for first in range(0, queries, length))


def _weighted_values(self, query, key, value, mask):
    return _get_cache_prim(P.BatchMatMul)()(self.get_attention_scores(query, key, mask), value)


def math_attention_op(self, query, key, value, attn_mask=None):
    """`Attention.math_attention_op`: query (*, queries, width), key and value (*, keys, width), bool or added mask."""
    if attn_mask is not None and attn_mask.dtype == ms.bool_:
        attn_mask = mint.logical_not(attn_mask) * _least(query.dtype)
    shape = query.shape
    query = query.reshape(-1, shape[-2], shape[-1])
    key = key.reshape(-1, key.shape[-2], shape[-1])
    value = value.reshape(-1, value.shape[-2], shape[-1])
    if attn_mask is None and native.take(query.dtype, key.dtype, value.dtype):
        return native.attention(query, key, value, native.settings(1, self.scale)).reshape(shape)
    if attn_mask is not None and attn_mask.ndim == 4:
        attn_mask = attn_mask.reshape(-1, attn_mask.shape[-2], attn_mask.shape[-1])
    parts = _slices(query.shape[0], shape[-2], key.shape[-2])
    if len(parts) == 1:
        return _weighted_values(self, query, key, value, attn_mask).reshape(shape)
    results = ()  # type: tuple  # graph mode cannot read an annotation
    for first, length in parts:
        mask = attn_mask
        if attn_mask is not None and attn_mask.shape[-2] != 1:
            mask = ops.narrow(attn_mask, -2, first, length)
        results = (*results, _weighted_values(self, ops.narrow(query, 1, first, length), key, value, mask))
    return ops.concat(results, 1).reshape(shape)


def without_moving_heads(original: Callable) -> Callable:
    """Wrap `AttnProcessor2_0.__call__` to keep the heads in the layout of the projections, if the layer allows it."""

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, temb=None):
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        if not (native.take(hidden_states.dtype, context.dtype) and hidden_states.ndim == 3 and attention_mask is None):
            return original(self, attn, hidden_states, encoder_hidden_states, attention_mask, temb)
        if attn.spatial_norm is not None or attn.group_norm is not None or attn.norm_cross is not None:
            return original(self, attn, hidden_states, encoder_hidden_states, attention_mask, temb)
        if attn.norm_q is not None or attn.norm_k is not None:
            return original(self, attn, hidden_states, encoder_hidden_states, attention_mask, temb)
        query, key, value = attn.to_q(hidden_states), attn.to_k(context), attn.to_v(context)
        if not native.take(query.dtype, key.dtype, value.dtype):
            return original(self, attn, hidden_states, encoder_hidden_states, attention_mask, temb)
        result = native.attention(query, key, value, native.settings(attn.heads, attn.scale))
        result = attn.to_out[1](attn.to_out[0](result))
        if attn.residual_connection:
            result = result + hidden_states
        return result if attn.rescale_output_factor == 1 else result / attn.rescale_output_factor

    return __call__
