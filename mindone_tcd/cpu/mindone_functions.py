"""Replacements of mindone's own functions.

They call Tensor methods (`chunk`, `repeat_interleave` with output_size) that graph mode resolves in C++ to kernels
which the CPU backend lacks, so no replacement in `mint` can reach them. Names are "module:attribute".
"""

from collections.abc import Callable

from mindspore import mint

from ..replacing import rewrite
from . import attention, lora, native, residual


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


MODELS = "mindone.diffusers.models."
LORA = "mindone.peft.tuners.lora.layer:"

REPLACED: dict[str, Callable] = {
    MODELS + "activations:GEGLU.construct": geglu_construct,
    MODELS + "attention_processor:Attention.get_attention_scores": attention.get_attention_scores,
    MODELS + "attention_processor:Attention.math_attention_op": attention.math_attention_op,
    MODELS + "attention:_chunked_feed_forward": chunked_feed_forward,
}

REWRITTEN: dict[str, Callable[[Callable], Callable]] = {
    MODELS + "attention_processor:AttnProcessor2_0.__call__": attention.without_moving_heads,
    MODELS + "resnet:ResnetBlock2D.construct": residual.with_fused_norms,
    LORA + "Linear.construct": lora.in_linear,
    LORA + "_ConvNd.construct": lora.in_convolution,
    MODELS + "attention_processor:Attention.prepare_attention_mask": without_output_size,
    MODELS + "unets.unet_motion_model:UNetMotionModel.construct": without_output_size,
}
