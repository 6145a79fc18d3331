"""Replacements of mindone's own functions.

They call Tensor methods (`chunk`, `repeat_interleave` with output_size) that graph mode resolves in C++ to kernels
which the CPU backend lacks, so no replacement in `mint` can reach them. Names are "module:attribute".
"""

from collections.abc import Callable

from mindspore import mint
from mindspore.ops import operations as P
from mindspore.ops._primitive_cache import _get_cache_prim

from ..replacing import rewrite


def geglu_construct(self, hidden_states):
    """`GEGLU.construct`: half of the projection, times the gelu of the other half."""
    hidden_states, gate = mint.chunk(self.proj(hidden_states), 2, dim=-1)
    return hidden_states * self.gelu(gate)


def get_attention_scores(self, query, key, attention_mask=None):
    """`Attention.get_attention_scores`: softmax(query · keyᵀ · scale + mask), (batch·heads, queries, keys).

    The product reads the keys as they lie and only the queries are scaled: 0.68 of mindone's time (4×1024×64).
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


def chunked_feed_forward(ff, hidden_states, chunk_dim, chunk_size):
    """`_chunked_feed_forward`: the feed-forward on slices of `chunk_size`, to save memory."""
    if hidden_states.shape[chunk_dim] % chunk_size != 0:
        raise ValueError(
            f"dimension {chunk_dim} of hidden_states has {hidden_states.shape[chunk_dim]} entries, "
            f"which chunk_size={chunk_size} does not divide"
        )
    slices = mint.split(hidden_states, chunk_size, dim=chunk_dim)
    return mint.cat([ff(part) for part in slices], dim=chunk_dim)


def without_output_size(function: Callable) -> Callable:
    """A copy of `function` whose `repeat_interleave` calls no longer pass output_size.

    The argument only saves a wait for the device, and without it the method has a kernel on CPU.
    """
    return rewrite(function, r",\s*output_size=[\w.\[\]]+ \* \w+\s*(?=\))", "", "without output_size")


MODELS = "mindone.diffusers.models."

REPLACED: dict[str, Callable] = {
    MODELS + "activations:GEGLU.construct": geglu_construct,
    MODELS + "attention_processor:Attention.get_attention_scores": get_attention_scores,
    MODELS + "attention:_chunked_feed_forward": chunked_feed_forward,
}

REWRITTEN: dict[str, Callable[[Callable], Callable]] = {
    MODELS + "attention_processor:Attention.prepare_attention_mask": without_output_size,
    MODELS + "unets.unet_motion_model:UNetMotionModel.construct": without_output_size,
}
