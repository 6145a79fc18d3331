"""Motion adapters with the configuration keys of published motion adapters."""

import json
import logging

import numpy as np
import pytest
import tiny

from mindone_tcd.errors import UsageError

LEGACY = {"motion_activation_fn": "geglu", "motion_attention_bias": False, "motion_cross_attention_dim": None}


@pytest.fixture
def folder(tmp_path):
    """The folder of a motion adapter, like animatediff-motion-adapter-v1-5-2."""
    from mindone_tcd.exports import get

    adapter = tiny.fill_mindone(get("MotionAdapter")(**tiny.ADAPTER_OPTIONS), "motion_adapter")
    weights = {name: p.asnumpy() for name, p in adapter.parameters_and_names()}
    tiny.save(weights, tmp_path / "diffusion_pytorch_model.safetensors", {"format": "pt"})

    def write(**changes):
        config = {"_class_name": "MotionAdapter", "_diffusers_version": "0.23.0.dev0"}
        config |= tiny.ADAPTER_OPTIONS | LEGACY | changes
        (tmp_path / "config.json").write_text(json.dumps(config))
        return tmp_path

    return write


def test_legacy_keys_cause_no_log_message(folder, caplog):
    from mindone_tcd.exports import get

    with caplog.at_level(logging.WARNING, logger="mindone"):
        logging.getLogger("mindone").propagate = True
        adapter = get("MotionAdapter").from_pretrained(str(folder(motion_max_seq_length=8)))
    assert "motion_activation_fn" not in caplog.text
    assert not set(LEGACY) & set(adapter.config)
    for name, parameter in adapter.parameters_and_names():
        wanted = tiny.weights(f"motion_adapter.{name}", tuple(parameter.shape))
        np.testing.assert_array_equal(parameter.asnumpy(), wanted, err_msg=name)


def test_other_unknown_keys_are_logged_as_before(folder, caplog):
    from mindone_tcd.exports import get

    with caplog.at_level(logging.WARNING, logger="mindone"):
        logging.getLogger("mindone").propagate = True
        get("MotionAdapter").from_pretrained(str(folder(motion_colour="blue")))
    assert "motion_colour" in caplog.text
    assert "motion_activation_fn" not in caplog.text


@pytest.mark.parametrize(
    ("key", "value"),
    [("motion_activation_fn", "relu"), ("motion_attention_bias", True), ("motion_cross_attention_dim", 768)],
)
def test_values_that_the_adapter_does_not_support(folder, key, value):
    from mindone_tcd.exports import get

    with pytest.raises(UsageError, match=f"configuration has {key}={value!r}; MotionAdapter expects {LEGACY[key]!r}"):
        get("MotionAdapter").from_pretrained(str(folder(**{key: value})))
