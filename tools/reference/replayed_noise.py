"""diffusers with the noise of NumPy's PCG64 generators, in the order in which mindone generates it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from typing import Any
from unittest import mock

import numpy as np
import torch

from mindone_tcd.random import standard_normal


def replayed(
    shape: Sequence[int],
    generator: Any = None,
    device: Any = None,
    dtype: torch.dtype | None = None,
    layout: Any = None,
) -> torch.Tensor:
    """Replaces diffusers' randn_tensor: the numbers come from one NumPy generator, or from one for each image."""
    return torch.from_numpy(np.asarray(standard_normal(shape, generator))).to(dtype or torch.float32)


@contextlib.contextmanager
def numpy_streams() -> Iterator[None]:
    """A context in which every module of diffusers that imported randn_tensor uses the NumPy generators."""
    with contextlib.ExitStack() as stack:
        for name, module in list(sys.modules.items()):
            if name.startswith("diffusers.") and "randn_tensor" in vars(module):
                stack.enter_context(mock.patch.object(module, "randn_tensor", replayed))
        yield
