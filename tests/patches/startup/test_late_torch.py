"""transformers does not import torch until a program uses torch. These tests need an installed torch."""

import pytest

from .. import fresh

USED = "from mindone.transformers import CLIPTextModel\nfrom mindone.diffusers import StableDiffusionXLPipeline\n"


def test_a_pipeline_imports_no_torch():
    pytest.importorskip("torch", reason="torch is not installed")
    assert fresh.run(USED + "print('torch' in sys.modules, 'sympy' in sys.modules)")[-1] == "False False"


LATER = """
import torch
import torch.utils._pytree as tree
import transformers
from transformers import image_utils
from transformers.utils import ModelOutput, is_torch_tensor
from mindone.transformers.models.clip.modeling_clip import CLIPOutput
print(ModelOutput in tree.SUPPORTED_NODES, CLIPOutput in tree.SUPPORTED_NODES, image_utils.torch is torch)
print(is_torch_tensor(torch.ones(1)), is_torch_tensor(1), transformers.CLIPTextConfig(dtype="float16").dtype)
sizes = dict(hidden_size=32, intermediate_size=64, num_attention_heads=4, num_hidden_layers=1, vocab_size=50)
output = transformers.CLIPTextModel(transformers.CLIPTextConfig(**sizes))(torch.tensor([[1, 2, 3]]))
leaves, shape = tree.tree_flatten(output)
print(type(tree.tree_unflatten(leaves, shape)).__name__, tuple(leaves[0].shape))
"""


@pytest.mark.parity
def test_torch_can_be_imported_later():
    assert fresh.run(USED + LATER)[-3:] == [
        "True True True",
        "True False torch.float16",
        "BaseModelOutputWithPooling (1, 3, 32)",
    ]


@pytest.mark.parity
def test_torch_can_be_imported_first():
    assert fresh.run("import torch\n" + USED + LATER)[-3] == "True True True"
