"""Table lookup: embedding and one-hot encoding."""

import mindspore as ms
from mindspore import ops

from .arguments import axis_of


def embedding(input, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False):
    """`mint.nn.functional.embedding`: input (*) of integers, weight (rows, width), result (*, width).

    The row `padding_idx` gets no gradient. An index out of range gives zeros, because a check would wait for the
    values. max_norm and scale_grad_by_freq raise NotImplementedError (norm_type has no effect without max_norm).
    """
    if max_norm is not None:
        raise NotImplementedError(f"embedding: max_norm={max_norm} is not supported on CPU; supported: None")
    if scale_grad_by_freq:
        raise NotImplementedError("embedding: scale_grad_by_freq=True is not supported on CPU; supported: False")
    rows = ops.gather(weight, input, 0)
    if padding_idx is None:
        return rows
    padding = axis_of(padding_idx, weight.shape[0], "padding_idx")
    return ops.where((input == padding).expand_dims(-1), ops.stop_gradient(rows), rows)


def embedding_construct(self, input):
    """`mint.nn.Embedding.construct`."""
    return embedding(input, self.weight, self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq)


def one_hot(tensor, num_classes=-1):
    """`mint.nn.functional.one_hot`: int64 with a new last dimension; num_classes −1 means the largest value plus one.

    An index out of range gives zeros, where PyTorch raises an error, because a check would wait for the values.
    """
    if num_classes == -1:
        num_classes = int(tensor.max()) + 1
    return ops.one_hot(tensor, num_classes, 1, 0).astype(ms.int64)
