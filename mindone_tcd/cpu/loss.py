"""Loss functions."""

from mindspore import ops

from .arguments import one_of


def _reduced(loss, reduction):
    one_of("reduction", reduction, ("none", "mean", "sum"))
    if reduction == "none":
        return loss
    return loss.mean() if reduction == "mean" else loss.sum()


def mse_loss(input, target, reduction="mean"):
    """`mint.nn.functional.mse_loss`: (input − target)², broadcast, and its mean or sum."""
    difference = ops.sub(input, target)
    return _reduced(difference * difference, reduction)


def l1_loss(input, target, reduction="mean"):
    """`mint.nn.functional.l1_loss`: |input − target|, broadcast, and its mean or sum."""
    return _reduced(ops.abs(ops.sub(input, target)), reduction)
