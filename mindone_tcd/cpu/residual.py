"""mindone's residual block with fewer memory passes: normalization and SiLU are one kernel, and so are the sums."""

from collections.abc import Callable

from mindspore import mint

from . import native
from .convolution import without_bias


def _activated(norm, x, shift):
    """Return silu(norm(x + shift)); shift is (N, C), or a constant that means no shift."""
    return native.group_norm(x, shift, norm.weight, norm.bias, native.settings(norm.num_groups, norm.eps, norm.eps))[0]


def with_fused_norms(original: Callable) -> Callable:
    """Wrap `ResnetBlock2D.construct`: native kernels for the common configuration, unchanged for all others."""

    def construct(self, input_tensor, temb):
        common = self.upsample is None and self.downsample is None and self.time_embedding_norm == "default"
        common = common and isinstance(self.nonlinearity, mint.nn.SiLU)
        if not common or not native.take(input_tensor.dtype, self.norm1.weight.dtype, self.norm2.weight.dtype):
            return original(self, input_tensor, temb)
        x = _activated(self.norm1, input_tensor, native.settings(1, 0.0))
        shift = native.settings(1, 0.0)
        if self.time_emb_proj is not None and temb is not None:
            shift = self.time_emb_proj(temb if self.skip_time_act else self.nonlinearity(temb))
            # A LoRA layer around the convolution adds the bias itself.
            if isinstance(self.conv1, mint.nn.Conv2d) and self.conv1.bias is not None:
                shift = mint.add(shift, self.conv1.bias)
                x = without_bias(self.conv1, x)
            else:
                x = self.conv1(x)
        else:
            x = self.conv1(x)
        x = self.dropout(_activated(self.norm2, x, shift))
        shortcut = input_tensor if self.conv_shortcut is None else self.conv_shortcut(input_tensor)
        if isinstance(self.conv2, mint.nn.Conv2d) and self.conv2.bias is not None:
            result = native.add_with_bias(shortcut, without_bias(self.conv2, x), self.conv2.bias)
        else:
            result = shortcut + self.conv2(x)
        return result if self.output_scale_factor == 1 else result / self.output_scale_factor

    return construct
