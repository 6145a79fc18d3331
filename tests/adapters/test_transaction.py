"""An error or Ctrl-C at any stage of any operation on adapters leaves the pipeline unchanged."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cases
import fingerprint as fp
import ip_cases
import layouts as lay
import numpy as np
import pytest
import tiny
from model_modules import UNetConfig

from mindone_tcd.adapters import loaded_loras

pytestmark = pytest.mark.slow


class Interrupted:
    """Counts the steps that change pipelines and models, and raises before the n-th one; 0 only counts."""

    def __init__(self, at: int, error: type[BaseException]) -> None:
        self.at, self.error, self.calls = at, error, 0
        self.patch = pytest.MonkeyPatch()

    def __enter__(self) -> Interrupted:
        import mindspore as ms
        from mindone.diffusers.configuration_utils import ConfigMixin
        from mindone.diffusers.pipelines.pipeline_utils import DiffusionPipeline
        from mindone.peft.tuners.lora import LoraLayer
        from mindone.peft.tuners.tuners_utils import BaseTunerLayer

        for owner, names in (
            (ms.nn.Cell, ("__setattr__", "__delattr__", "insert_child_to_cell", "update_parameters_name")),
            (ms.Parameter, ("set_data", "set_dtype")),
            (ms.ops, ("assign",)),
            (BaseTunerLayer, ("set_adapter", "enable_adapters")),
            (LoraLayer, ("set_scale", "scale_layer", "delete_adapter")),
            (DiffusionPipeline, ("register_modules",)),
            (ConfigMixin, ("register_to_config",)),
        ):
            for name in names:
                self.patch.setattr(owner, name, self._counted(getattr(owner, name)))
        return self

    def __exit__(self, *details: Any) -> None:
        self.patch.undo()

    def _counted(self, original: Callable) -> Callable:
        @functools.wraps(original)
        def step(*arguments: Any, **options: Any) -> Any:
            self.calls += 1
            if self.calls == self.at:
                raise self.error(f"before step {self.calls}: {original.__qualname__}")
            return original(*arguments, **options)

        return step


def _lora(seed: int, config: UNetConfig = tiny.SD, targets: tuple[str, ...] = ("attn1.to_q", "conv1", "q_proj")) -> Any:
    return lay.kohya(lay.draw(cases.shapes(config, text="q_proj" in targets), targets, 2, 1.0, seed))


def _loaded(pipe: Any) -> None:
    pipe.load_lora_weights(_lora(1), adapter_name="a")
    pipe.load_lora_weights(_lora(2, targets=("attn1.to_q", "conv1")), adapter_name="b")
    pipe.set_adapters(["a", "b"], [0.5, 0.7])


def _fused(pipe: Any) -> None:
    _loaded(pipe)
    pipe.fuse_lora(lora_scale=0.7)


def _with_ip_adapter(pipe: Any) -> None:
    pipe.load_ip_adapter(_groups(ip_cases.plain), image_encoder_folder=None)
    pipe.set_ip_adapter_scale(0.4)


def _groups(shapes: Callable) -> dict[str, dict[str, np.ndarray]]:
    file = ip_cases.draw(shapes(tiny.SD), "x")
    return {
        group: {key.removeprefix(f"{group}."): value for key, value in file.items() if key.startswith(f"{group}.")}
        for group in ("image_proj", "ip_adapter")
    }


def _motion_adapter() -> Any:
    from mindone_tcd.exports import get

    return tiny.fill_mindone(get("MotionAdapter")(**tiny.ADAPTER_OPTIONS), "another")


@dataclass(frozen=True)
class Operation:
    run: Callable[[Any], Any]
    before: Callable[[Any], None] = lambda pipe: None
    config: UNetConfig = tiny.SD


def _load(pipe: Any) -> None:
    pipe.load_lora_weights(_lora(3), adapter_name="c")


OPERATIONS: dict[str, Operation] = {
    "load the first LoRA": Operation(_load),
    "load another LoRA": Operation(_load, _loaded),
    "load on top of fused ones": Operation(_load, _fused),
    "load after enable_lora_hotswap": Operation(_load, lambda pipe: pipe.enable_lora_hotswap(target_rank=4)),
    "hotswap": Operation(
        lambda pipe: pipe.load_lora_weights(_lora(4, targets=("attn1.to_q", "conv1")), adapter_name="b", hotswap=True),
        _loaded,
    ),
    "fuse_lora": Operation(lambda pipe: pipe.fuse_lora(lora_scale=0.7, safe_fusing=True), _loaded),
    "fuse_lora of one": Operation(lambda pipe: pipe.fuse_lora(adapter_names=["b"], components=["unet"]), _loaded),
    "fuse_lora of the UNet itself": Operation(lambda pipe: pipe.unet.fuse_lora(0.5), _loaded),
    "unfuse_lora": Operation(lambda pipe: pipe.unfuse_lora(), _fused),
    "set_adapters": Operation(lambda pipe: pipe.set_adapters(["b"], [{"unet": 0.3}]), _loaded),
    "set_adapters of fused ones": Operation(lambda pipe: pipe.set_adapters(["a"], [2.0]), _fused),
    "set_adapters of the UNet itself": Operation(lambda pipe: pipe.unet.set_adapters(["b"], [0.1]), _loaded),
    "delete_adapters": Operation(lambda pipe: pipe.delete_adapters(["a", "b"]), _loaded),
    "delete_adapters of a fused one": Operation(lambda pipe: pipe.delete_adapters("a"), _fused),
    "unload_lora_weights": Operation(lambda pipe: pipe.unload_lora_weights(), _loaded),
    "unload_lora_weights of fused ones": Operation(lambda pipe: pipe.unload_lora_weights(), _fused),
    "disable_lora": Operation(lambda pipe: pipe.disable_lora(), _loaded),
    "disable_lora of fused ones": Operation(lambda pipe: pipe.disable_lora(), _fused),
    "enable_lora": Operation(lambda pipe: pipe.enable_lora(), lambda pipe: (_loaded(pipe), pipe.disable_lora())),
    "load an IP-Adapter": Operation(_with_ip_adapter),
    "load another IP-Adapter": Operation(
        lambda pipe: pipe.load_ip_adapter(_groups(ip_cases.plus), image_encoder_folder=None), _with_ip_adapter
    ),
    "load a Face ID with its LoRA": Operation(
        lambda pipe: pipe.load_ip_adapter(_groups(ip_cases.face_id), image_encoder_folder=None), _loaded
    ),
    "set_ip_adapter_scale": Operation(
        lambda pipe: pipe.set_ip_adapter_scale({"up": {"block_1": [0.0, 1.0, 0.5]}}), _with_ip_adapter
    ),
    "unload_ip_adapter": Operation(lambda pipe: pipe.unload_ip_adapter(), _with_ip_adapter),
    "load motion modules": Operation(lambda pipe: pipe.unet.load_motion_modules(_motion_adapter()), config=tiny.MOTION),
    "load a motion LoRA": Operation(
        lambda pipe: pipe.load_lora_weights(lay.processors(cases.motion_lora()), adapter_name="zoom"),
        config=tiny.MOTION,
    ),
}


class Finished(Exception):
    """Raised at the end of an operation."""


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_an_error_at_any_stage_changes_nothing(pipeline, name):
    operation = OPERATIONS[name]
    pipe = pipeline(operation.config)
    operation.before(pipe)
    before = fp.fingerprint(pipe)
    counted = Interrupted(0, Finished)
    with pytest.raises(Finished):
        _run_to_the_end(pipe, operation, counted, before)
    assert fp.differences(before, fp.fingerprint(pipe)) == [], "an error after the last step"
    steps = sorted({1, (counted.calls + 1) // 2, counted.calls} if counted.calls else ())  # scales are list items
    for k, at in enumerate(steps):
        error = (RuntimeError, KeyboardInterrupt)[k % 2]
        # mindone's own error handling ends in a KeyError.
        with Interrupted(at, error) as interrupted, pytest.raises((error, KeyError)):
            operation.run(pipe)
        assert interrupted.calls >= at
        changed = fp.differences(before, fp.fingerprint(pipe))
        assert changed == [], f"{error.__name__} before step {at} of {counted.calls}"


def _run_to_the_end(pipe: Any, operation: Operation, counted: Interrupted, before: dict[str, Any]) -> None:
    from mindone_tcd.transaction import transaction

    with transaction(pipe):
        with counted:
            operation.run(pipe)
        assert fp.differences(before, fp.fingerprint(pipe)) != [], "the operation itself changes nothing"
        raise Finished


def test_scales_for_more_ip_adapters_than_one_attention_has(pipeline):
    pipe = pipeline(tiny.SD)
    _with_ip_adapter(pipe)
    list(pipe.unet.attn_processors.values())[-1].scale.append(0.5)
    before = fp.fingerprint(pipe)
    with pytest.raises(ValueError, match="Cannot assign 1 scale_configs to 2"):
        pipe.set_ip_adapter_scale(0.9)
    assert fp.differences(before, fp.fingerprint(pipe)) == []


def test_an_error_before_the_kth_weight_is_written(pipeline, monkeypatch):
    """Fusing and unfusing write into the memory of the weights. The error occurs after some of them."""
    from mindspore import ops

    pipe = pipeline(tiny.SD)
    _loaded(pipe)
    outputs = tiny.mindone_outputs(pipe, tiny.SD)
    original = ops.assign
    for call in (lambda: pipe.fuse_lora(), lambda: pipe.unfuse_lora()):
        before = fp.fingerprint(pipe)
        for k in (1, 5, 23):
            written = []

            def assign(parameter, value, k=k, written=written):
                original(parameter, value)
                written.append(parameter)
                if len(written) == k:
                    raise MemoryError("device out of memory")

            monkeypatch.setattr(ops, "assign", assign)
            with pytest.raises(MemoryError):
                call()
            monkeypatch.setattr(ops, "assign", original)
            assert fp.differences(before, fp.fingerprint(pipe)) == []
        if not pipe.fused_loras:
            for model, values in tiny.mindone_outputs(pipe, tiny.SD).items():
                np.testing.assert_array_equal(values, outputs[model], err_msg=model)
        call()
        assert fp.differences(before, fp.fingerprint(pipe)) != []


def test_ctrl_c_while_the_state_is_restored(pipeline, monkeypatch):
    from mindone_tcd import transaction

    pipe = pipeline(tiny.SD)
    before = fp.fingerprint(pipe)
    monkeypatch.setattr(type(pipe), "load_lora_into_text_encoder", _interrupt)
    original, calls = transaction._same, []

    def same(*arguments):
        calls.append(arguments)
        if len(calls) in (200, 500):
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(transaction, "_same", same)
    with pytest.raises(KeyboardInterrupt):
        _load(pipe)
    assert len(calls) > 500
    assert fp.differences(before, fp.fingerprint(pipe)) == []


def _interrupt(*arguments: Any, **options: Any) -> None:
    raise KeyboardInterrupt


def _change_and_fail(owner: Any, change: Callable[[], Any]) -> None:
    from mindone_tcd.transaction import transaction

    with transaction(owner):
        change()
        raise Finished


def test_a_dtype_changed_in_place_is_restored_without_rounding(pipeline):
    """Loading into a text encoder converts all of its weights to one dtype; float16 would round them."""
    import mindspore as ms

    pipe = pipeline(tiny.SD)
    before = fp.fingerprint(pipe)
    with pytest.raises(Finished):
        _change_and_fail(pipe, lambda: (pipe.text_encoder.to(ms.float16), pipe.unet.set_train(True)))
    assert fp.differences(before, fp.fingerprint(pipe)) == []


def test_loading_a_lora_copies_no_weights(pipeline, monkeypatch):
    from mindone_tcd import transaction

    copied = []
    original = transaction._State.keep

    def keep(self, parameter):
        copied.append(id(parameter))
        original(self, parameter)

    monkeypatch.setattr(transaction._State, "keep", keep)
    pipe = pipeline(tiny.SD)
    _loaded(pipe)
    _with_ip_adapter(pipe)
    assert copied == []
    pipe.fuse_lora(components=["unet"], adapter_names=["a"])
    of_a = loaded_loras(pipe)["a"].modules["unet"]
    assert len(copied) == len(set(copied)) == of_a, "only the weights that are fused are copied"


def test_a_nested_transaction_leaves_restoring_to_the_outer_one(pipeline):
    from mindone_tcd.transaction import transaction

    pipe = pipeline(tiny.SD)
    _loaded(pipe)
    before = fp.fingerprint(pipe)
    with transaction(pipe):
        with pytest.raises(Finished):
            _change_and_fail(pipe.unet, lambda: pipe.set_adapters("b", 3.0))
        assert fp.differences(before, fp.fingerprint(pipe)) != []
    pipe.set_adapters(["a", "b"], [0.5, 0.7])
    before = fp.fingerprint(pipe)
    with pytest.raises(Finished):
        _change_and_fail(pipe, pipe.fuse_lora)
    assert fp.differences(before, fp.fingerprint(pipe)) == []
