"""Replacements of mindone's own functions.

They call Tensor methods (`chunk`, `repeat_interleave` with output_size) that graph mode resolves in C++ to kernels
which the CPU backend lacks, so no replacement in `mint` can reach them.
"""

from collections.abc import Callable

from mindspore import mint

from ..patching.rewrite import rewrite
from . import native


def geglu_construct(self, hidden_states):
    """`GEGLU.construct`: half of the projection, times the gelu of the other half."""
    projected = self.proj(hidden_states)
    if native.take(projected.dtype):
        return native.geglu(projected)
    hidden_states, gate = mint.chunk(projected, 2, dim=-1)
    return hidden_states * self.gelu(gate)


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
