"""LoRA fused into the base weights and taken out again.

mindone's `unmerge` subtracts from a local name, so where `-=` makes a new tensor (on CPU) the fused weights stay. Its
way back also takes the adapter's scale of the day, not the one that it was fused with, and a fused layer passes over
every other adapter. Here a layer remembers the scale of each fused adapter, and every active adapter acts once, fused
or not. `unload_lora_weights()` keeps what is fused, as in diffusers; deleting or disabling an adapter takes it out, and
so does loading another one, with one warning. What mindone passes over (names that are not loaded, a second scale) or
what ends in an error of MindSpore (fusing while disabled) is refused before a weight is changed.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ...errors import UsageError
from ...lora_layers import layers_of, models_of
from ...transaction import keep, transaction


class FusedLoraTakenOut(UserWarning):
    """Another adapter has become the active one, and a fused one does not act any more."""


def taken_out(fused: Iterable[str], active: Iterable[str]) -> FusedLoraTakenOut:
    """The warning for fused adapters that were taken out when others became active."""
    fused, active = list(fused), list(active)
    return FusedLoraTakenOut(
        f"the fused LoRA {_listed(fused)} was taken out, for a newly loaded LoRA acts alone (now {_listed(active)}); "
        f"set_adapters({[*fused, *active]}) lets all of them act"
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names)) or "none"


def fused_adapters(pipe: Any) -> list[str]:
    """The names of the adapters that are fused into some layer of a pipeline."""
    names = (name for model in models_of(pipe).values() for layer in layers_of(model) for name in layer.merged_adapters)
    return list(dict.fromkeys(names))


def _check_names(pipe: Any, names: Sequence[str], call: str) -> None:
    loaded = {name for model in models_of(pipe).values() for name in getattr(model, "peft_config", None) or {}}
    unknown = [name for name in names if name not in loaded]
    if unknown:
        raise UsageError(f"{call} names {_listed(unknown)}; expected loaded adapters: {_listed(sorted(loaded))}")


def _check_fusing(layers: Sequence[Any], scale: float, names: Sequence[str] | None) -> None:
    for layer in layers:
        if layer.disable_adapters:
            raise UsageError("fuse_lora() while the LoRAs are disabled; call enable_lora() first")
        for name in layer.active_adapters if names is None else names:
            if name not in layer.merged_adapters or name not in layer.scaling:
                continue
            asked = layer.scaling[name] * scale
            fused = layer._caches.get(f"{name}-fused-scaling", asked)
            if not math.isclose(fused, asked):
                unit = layer.lora_alpha[name] / layer.r[name]
                raise UsageError(
                    f"adapter {name!r} is fused with the weight {fused / unit:g}, and fuse_lora() asks for "
                    f"{asked / unit:g}; call unfuse_lora() first"
                )


def _add(parameter: Any, change: Any, check: bool = False) -> None:
    from mindspore import mint, ops

    changed = parameter + change
    if check and not bool(mint.isfinite(changed).all()):
        raise ValueError(
            f"fusing makes {parameter.name} NaN or infinite; the adapter is broken, or its weights are too large "
            f"for {parameter.dtype}"
        )
    keep(parameter)
    ops.assign(parameter, changed.to(parameter.dtype))


def _put_in(layer: Any, name: str, check: bool) -> None:
    base = layer.get_base_layer()
    bias = layer.lora_B[name].bias if layer.lora_bias[name] else None
    if bias is not None and getattr(base, "bias", None) is None:
        raise UsageError(
            f"adapter {name!r} has a bias for {base.weight.name!r}, whose layer has none; use it without fusing"
        )
    _add(base.weight, layer.get_delta_weight(name), check)
    if bias is not None:
        _add(base.bias, bias, check)
    layer._caches[f"{name}-fused-scaling"] = layer.scaling[name]
    layer.merged_adapters.append(name)


def _take_out(layer: Any, name: str) -> None:
    layer.merged_adapters.remove(name)
    if name not in layer.lora_A:
        return
    base = layer.get_base_layer()
    today = layer.scaling[name]
    layer.scaling[name] = layer._caches.pop(f"{name}-fused-scaling", today)
    _add(base.weight, -layer.get_delta_weight(name))
    layer.scaling[name] = today
    if layer.lora_bias[name]:
        _add(base.bias, -layer.lora_B[name].bias)


def merge(self: Any, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
    """Fuse the named adapters, or the active ones, those that are not fused yet.

    Raises:
        ValueError: with `safe_merge`, for a weight that would not be finite.
        UsageError: for an adapter with a bias where the base layer has none.
    """
    from mindone.peft.tuners.tuners_utils import check_adapters_to_merge

    for name in check_adapters_to_merge(self, adapter_names) or ():
        if name in self.lora_A:
            _put_in(self, name, safe_merge)


def unmerge(self: Any) -> None:
    """Take every fused adapter out, with the scale that it was fused with."""
    if not self.merged_adapters:
        warnings.warn("Already unmerged. Nothing to do.", stacklevel=2)
    for name in reversed(list(self.merged_adapters)):
        _take_out(self, name)


def taking_out_when_disabled(original: Callable) -> Callable:
    def enable_adapters(self: Any, enabled: bool) -> None:
        if not enabled and self.merged_adapters:
            unmerge(self)
        original(self, enabled)

    return enable_adapters


def taking_out_when_deleted(original: Callable) -> Callable:
    def delete_adapter(self: Any, adapter_name: str) -> None:
        if adapter_name in self.merged_adapters:
            _take_out(self, adapter_name)
        original(self, adapter_name)

    return delete_adapter


def _unfused_adapters(self: Any) -> list[str]:
    """The active adapters of a layer that are not fused."""
    return [name for name in self.active_adapters if name in self.lora_A and name not in self.merged_adapters]


unfused_adapters = property(_unfused_adapters)


def with_unfused_adapters(original: Callable) -> Callable:
    def construct(self: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
        names = self.unfused_adapters
        if not self.merged or self.disable_adapters or len(names) == 0 or kwargs.get("adapter_names") is not None:
            return original(self, x, *args, **kwargs)
        result = self.base_layer(x, *args, **kwargs)
        dtype = result.dtype
        for name in names:
            lora_a, lora_b = self.lora_A[name], self.lora_B[name]
            x = self._cast_input_dtype(x, lora_a.weight.dtype)
            result = result + lora_b(lora_a(self.lora_dropout[name](x))) * self.scaling[name]
        return result.to(dtype)

    return construct


def fusing_with_scale(original: Callable) -> Callable:
    def fuse_lora(
        model: Any, lora_scale: float = 1.0, safe_fusing: bool = False, adapter_names: list[str] | None = None
    ) -> None:
        layers = layers_of(model)
        _check_fusing(layers, lora_scale, adapter_names)
        with transaction(model):
            before = [dict(layer.scaling) for layer in layers]
            for layer in layers:  # mindone scales the active ones only
                for name in set(adapter_names or ()) - set(layer.active_adapters):
                    if name in layer.scaling:
                        layer.scaling[name] *= lora_scale
            original(model, lora_scale, safe_fusing=safe_fusing, adapter_names=adapter_names)
            for layer, scaling in zip(layers, before, strict=True):  # lora_scale is for this fusing alone
                layer.scaling.update(scaling)

    return fuse_lora


def checking_before_fusing(original: Callable) -> Callable:
    @functools.wraps(original)
    def fuse_lora(
        self: Any,
        components: Sequence[str] = (),
        lora_scale: float = 1.0,
        safe_fusing: bool = False,
        adapter_names: list[str] | str | None = None,
        **kwargs: Any,
    ) -> None:
        if isinstance(adapter_names, str):
            adapter_names = [adapter_names]
        _check_names(self, adapter_names or (), "fuse_lora()")
        # All of the components before the first one is changed.
        for name, model in models_of(self).items():
            if name in components:
                _check_fusing(layers_of(model), lora_scale, adapter_names)
        original(
            self, components, lora_scale=lora_scale, safe_fusing=safe_fusing, adapter_names=adapter_names, **kwargs
        )

    return fuse_lora


def checking_before_deleting(original: Callable) -> Callable:
    @functools.wraps(original)
    def delete_adapters(self: Any, adapter_names: list[str] | str) -> None:
        names = [adapter_names] if isinstance(adapter_names, str) else adapter_names
        _check_names(self, names, "delete_adapters()")
        original(self, names)

    return delete_adapters


def taking_out_for_another(original: Callable) -> Callable:
    @functools.wraps(original)
    def set_adapter(self: Any, adapter_name: str | list[str]) -> None:
        layers = [layer for layer in layers_of(self.model) if layer.merged]
        fused = dict.fromkeys(name for layer in layers for name in layer.merged_adapters)
        for layer in layers:
            unmerge(layer)
        original(self, adapter_name)
        if fused:
            active = [adapter_name] if isinstance(adapter_name, str) else adapter_name
            warnings.warn(taken_out(fused, active), stacklevel=2)

    return set_adapter


def refusing_dora(original: Callable) -> Callable:
    def create_lora_config(*args: Any, **kwargs: Any) -> Any:
        config = original(*args, **kwargs)
        if getattr(config, "use_dora", False):
            raise UsageError("the LoRA is a DoRA (it has lora_magnitude_vector), which mindone cannot run; use a LoRA")
        return config

    return create_lora_config
