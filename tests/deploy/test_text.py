"""Token ids of prompts."""

import numpy as np
import pytest

from mindone_tcd import SHAPES_FOLDER
from mindone_tcd.deploy.text import token_ids
from mindone_tcd.errors import UsageError, UsageWarning

FOLDER = SHAPES_FOLDER / "tokenizer"


def test_ids_are_those_of_the_pipelines_tokenizer():
    from transformers import CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(FOLDER)
    for prompt in ("a red circle on a blue background", "", "红色 Kreis é"):
        ids = token_ids(FOLDER, prompt)
        expected = tokenizer(prompt, padding="max_length", max_length=tokenizer.model_max_length, truncation=True)
        assert ids.dtype == np.int64
        assert ids.tolist() == [expected.input_ids]


def test_a_long_prompt_is_truncated_with_a_warning():
    with pytest.warns(UsageWarning, match=r"the text encoder reads 32; without effect: .*star"):
        ids = token_ids(FOLDER, "circle " * 40 + "star")
    assert ids.shape == (1, 32)


def test_a_damaged_tokenizer(tmp_path):
    (tmp_path / "tokenizer_config.json").write_text("{}")
    (tmp_path / "vocab.json").write_text("[]")
    with pytest.raises(UsageError, match="vocab"):
        token_ids(tmp_path, "a")
