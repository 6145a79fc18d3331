"""Small cells with every kind of object that a network has and a graph captures."""

import mindspore as ms
import numpy as np
from mindspore import nn


class Processor:
    """Like an attention processor: not a cell, with a list of scales."""

    def __init__(self):
        self.scale = [1.0, 2.0]


class Layer(nn.Cell):
    def __init__(self, value):
        super().__init__()
        self.weight = ms.Parameter(ms.Tensor(np.full((2, 2), value, np.float32)), name="weight")
        self.scaling = {"style": 0.5}
        self.active = ["style"]
        self.merged = False

    def construct(self, x):
        y = x * self.weight
        if self.active:
            y = y * self.scaling["style"]
        return y


class Network(nn.Cell):
    def __init__(self):
        super().__init__()
        self.first, self.second = Layer(2.0), Layer(3.0)
        self.shift = ms.Tensor(np.ones(2, np.float32))
        self.processor = Processor()
        self.table = np.arange(4.0)

    def construct(self, x, timestep=None, conditions=None, residuals=None):
        x = self.second(self.first(x)) + self.shift * self.processor.scale[0]
        if timestep is not None:
            x = x + timestep
        if conditions is not None:
            x = x + conditions["text"]
        if residuals is not None:
            x = x + residuals[0] - residuals[1]
        return (x,)


def tensor(*values):
    return ms.Tensor(np.array(values, np.float32))
