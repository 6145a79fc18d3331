"""Libraries on torch can load pipelines that mindone saves."""

import json

import numpy as np
import pytest
from safetensors import safe_open

from .. import models


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    pipe, folder = models.make_pipeline(), tmp_path_factory.mktemp("pipeline")
    pipe.save_pretrained(folder)
    return pipe, folder


@pytest.mark.parametrize("part", ["text_encoder", "text_encoder_2"])
def test_torch_libraries_accept_the_format(saved, part):
    with safe_open(saved[1] / part / "model.safetensors", "np") as file:
        assert file.metadata() == {"format": "pt"}


def test_the_index_names_no_library_of_mindspore(saved):
    index = json.loads((saved[1] / "model_index.json").read_text())
    libraries = {entry[0] for entry in index.values() if isinstance(entry, list)}
    assert libraries == {"diffusers", "transformers"} | ({None} if [None, None] in index.values() else set())
    assert index["scheduler"] == ["diffusers", "TCDScheduler"]


def test_mindone_loads_it_again(saved):
    from mindone.diffusers import StableDiffusionXLPipeline

    pipe, folder = saved
    again = StableDiffusionXLPipeline.from_pretrained(folder)
    for part in ("unet", "vae", "text_encoder", "text_encoder_2"):
        weights = dict(getattr(again, part).parameters_and_names())
        for name, parameter in getattr(pipe, part).parameters_and_names():
            np.testing.assert_array_equal(weights[name].asnumpy(), parameter.asnumpy(), err_msg=f"{part} {name}")


def torchs_name(name):
    for ours, theirs in ((".embedding_table", ".weight"), (".gamma", ".weight"), (".beta", ".bias")):
        if name.endswith(ours):
            return name.removesuffix(ours) + theirs
    return name


@pytest.mark.parametrize("part", ["text_encoder", "text_encoder_2"])
def test_the_names_are_those_of_torch(saved, part):
    with safe_open(saved[1] / part / "model.safetensors", "np") as file:
        names = set(file.keys())
        table = file.get_tensor("text_model.embeddings.token_embedding.weight")
    parameters = dict(getattr(saved[0], part).parameters_and_names())
    assert names == set(map(torchs_name, parameters))
    np.testing.assert_array_equal(table, parameters["text_model.embeddings.token_embedding.embedding_table"].asnumpy())


@pytest.mark.parity
def test_diffusers_loads_it(saved):
    import diffusers

    pipe, folder = saved
    theirs = diffusers.StableDiffusionXLPipeline.from_pretrained(folder)
    assert type(theirs.scheduler) is diffusers.TCDScheduler
    for part in ("unet", "vae", "text_encoder", "text_encoder_2"):
        weights, seen = getattr(theirs, part).state_dict(), 0
        for name, parameter in getattr(pipe, part).parameters_and_names():
            np.testing.assert_array_equal(
                weights[torchs_name(name)].numpy(), parameter.asnumpy(), err_msg=f"{part} {name}"
            )
            seen += 1
        assert seen == len([name for name in weights if not name.endswith("position_ids")])
