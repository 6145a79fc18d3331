"""Keys and parameters that lack each other, from the lists that mindone gives."""

from types import SimpleNamespace

import pytest

from mindone_tcd.checks.matched_keys import check, explain_shapes, without_positions
from mindone_tcd.errors import UsageError


class Model:
    config = SimpleNamespace()

    def parameters_and_names(self):
        return [("text_model.layer.weight", None)]


class DPTForDepthEstimation(Model):
    pass


class CLIPTextModel(Model):
    config = SimpleNamespace(architectures=["CLIPModel"])


def info(missing=(), unexpected=(), mismatched=()):
    return {
        "missing_keys": list(missing),
        "unexpected_keys": list(unexpected),
        "mismatched_keys": list(mismatched),
    }


def refusal(model, strict=True, **lists):
    with pytest.raises(UsageError) as caught:
        check(model, info(**lists), "folder/unet", strict)
    return str(caught.value)


def test_no_key_left_over_is_silent(recwarn):
    check(Model(), info(), "folder", True)
    assert not recwarn


def test_the_message_counts_and_lists_the_keys():
    message = refusal(
        Model(), missing=["b.gamma", "a.beta"], unexpected=[f"k{i}" for i in range(7)], mismatched=[("c", (1,), (2, 3))]
    )
    assert message == (
        "the weights of folder/unet do not fit Model: 2 missing (a.bias, b.weight), "
        "7 unexpected (k0, k1, k2, k3, k4, …), 1 of another shape (c is (1,) instead of (2, 3)); "
        "fetch the weights and config.json again, both from the same model, "
        "or pass ignore_mismatched_sizes=True to keep random values there"
    )
    assert refusal(Model(), missing=["a"]).endswith("or pass strict=False for a warning")


def test_parameters_are_named_as_in_the_file():
    message = refusal(Model(), missing=["e.embedding_table", "n.gamma", "n.beta", "gamma", "gamma.weight"])
    assert "(e.weight, gamma.weight, n.bias, n.weight, weight)" in message


def test_without_strict_it_is_a_warning_except_for_shapes():
    with pytest.warns(UserWarning, match=r"1 missing \(a\); missing weights keep random values"):
        check(Model(), info(missing=["a"]), "folder", False)
    assert "of another shape" in refusal(Model(), strict=False, mismatched=[("a", "(1,)", "(2,)")])


@pytest.mark.parametrize(
    "key", ["position_ids", "a.position_ids", "bn.num_batches_tracked", "motion.pos_embed.pe", "pos_embed.pe"]
)
def test_what_the_model_computes_itself_is_not_unexpected(key):
    check(Model(), info(unexpected=[key]), "folder", True)
    assert key in refusal(Model(), missing=[key])


@pytest.mark.parametrize("key", ["my_position_ids", "position_ids.weight", "xpos_embed.pe"])
def test_keys_that_only_resemble_those(key):
    assert key in refusal(Model(), unexpected=[key])


def test_what_the_published_depth_models_lack():
    unused = "neck.fusion_stage.layers.0.residual_layer1.convolution1.weight"
    check(DPTForDepthEstimation(), info(missing=[unused]), "folder", True)
    assert unused in refusal(Model(), missing=[unused])
    other = unused.replace("layers.0", "layers.1")
    assert other in refusal(DPTForDepthEstimation(), missing=[unused, other])


def test_one_tower_of_a_file_for_two():
    check(CLIPTextModel(), info(unexpected=["vision_model.a", "logit_scale"]), "folder", True)
    message = refusal(CLIPTextModel(), unexpected=["vision_model.a", "text_model.b"])
    assert "1 unexpected (text_model.b)" in message
    whole = CLIPTextModel()
    whole.config = SimpleNamespace(architectures=["CLIPTextModel"])
    assert "vision_model.a" in refusal(whole, unexpected=["vision_model.a"])


@pytest.mark.parametrize("part", ["base_layer", "lora_A", "lora_B"])
def test_a_model_that_was_saved_with_a_lora(part):
    key = f"to_q.{part}.weight"
    assert refusal(Model(), unexpected=[key], missing=["to_q.weight"]).startswith(
        "the weights of folder/unet were saved with a LoRA loaded; create the pipeline again"
    )
    with pytest.warns(UserWarning, match="1 unexpected"):
        check(Model(), info(unexpected=[key]), "folder", False)


def test_mindones_error_for_shapes_is_explained():
    error = RuntimeError(
        "Error(s) in loading state_dict for Model:\n"
        "size mismatch for a.gamma: copying a param with shape (1, 2) from checkpoint, the shape in current model is "
        "(3, 4).\nsize mismatch for b: copying a param with shape (5,) from checkpoint, the shape in it is (6,)."
    )
    with pytest.raises(UsageError) as caught:
        explain_shapes(error, "folder", "Model")
    assert "2 of another shape (a.weight is (1, 2) instead of (3, 4), b is (5,) instead of (6,))" in str(caught.value)
    assert caught.value.__cause__ is error
    explain_shapes(RuntimeError("out of memory"), "folder", "Model")


def test_motion_modules_are_not_warned_of_their_positions():
    assert without_positions(["a"]) == ["a"]
    assert without_positions(None) == without_positions([]) == [r"pos_embed\.pe$"]
