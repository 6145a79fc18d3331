"""Fuse LoRAs into the base weights, and unfuse them.

mindone has three defects. Its `unmerge` subtracts from a local variable, so if `-=` creates a new tensor (on a CPU),
the fused weights stay. It unfuses with the adapter's current scale, not with the scale at fusing. A layer with a fused
adapter ignores all other adapters.

With these patches, a layer stores the scale of each fused adapter, and each active adapter acts once, fused or not. As
in diffusers, `unload_lora_weights()` keeps the fused weights. Deleting or disabling an adapter unfuses it. Loading
another adapter unfuses it too, with one warning. Calls that mindone ignores (unknown names, a second scale) or that
fail inside MindSpore (fusing while disabled) raise a UsageError before any weight changes.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ...errors import UsageError, UsageWarning, warn_user
from ...lora_layers import layers_of, models_of
from ...transaction import keep, transaction


class LoraUnfusedWarning(UsageWarning):
    """A fused adapter was unfused and is no longer active, because another adapter became active."""


def unfused_warning(fused: Iterable[str], active: Iterable[str]) -> LoraUnfusedWarning:
    """Return the warning for adapters that were unfused because others became active.

    Args:
        fused: the names of the adapters that were unfused.
        active: the names of the adapters that are active now.
    """
    fused, active = list(fused), list(active)
    return LoraUnfusedWarning(
        f"the fused LoRA {_listed(fused)} was unfused, because a newly loaded LoRA replaces the active ones "
        f"(now {_listed(active)}); call set_adapters({[*fused, *active]}) to use all of them"
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names)) or "none"


def fused_adapters(pipe: Any) -> list[str]:
    """Return the names of the adapters that are fused into at least one layer of a pipeline."""
    names = (name for model in models_of(pipe).values() for layer in layers_of(model) for name in layer.merged_adapters)
    return list(dict.fromkeys(names))


def _check_names(pipe: Any, names: Sequence[str], call: str) -> None:
    loaded = {name for model in models_of(pipe).values() for name in getattr(model, "peft_config", None) or {}}
    unknown = [name for name in names if name not in loaded]
    if unknown:
        raise UsageError(f"{call} got {_listed(unknown)}; expected names of loaded adapters: {_listed(sorted(loaded))}")


def _check_fusing(layers: Sequence[Any], scale: float, names: Sequence[str] | None) -> None:
    for layer in layers:
        if layer.disable_adapters:
            raise UsageError("fuse_lora() cannot fuse disabled LoRAs; call enable_lora() first")
        for name in layer.active_adapters if names is None else names:
            if name not in layer.merged_adapters or name not in layer.scaling:
                continue
            asked = layer.scaling[name] * scale
            fused = layer._caches.get(f"{name}-fused-scaling", asked)
            if not math.isclose(fused, asked):
                unit = layer.lora_alpha[name] / layer.r[name]
                raise UsageError(
                    f"the adapter {name!r} is already fused with the weight {fused / unit:g}, not "
                    f"{asked / unit:g}; call unfuse_lora() first"
                )


def _add(parameter: Any, change: Any, check: bool = False) -> None:
    from mindspore import mint, ops

    changed = parameter + change
    if check and not bool(mint.isfinite(changed).all()):
        raise ValueError(
            f"fusing makes {parameter.name} NaN or infinite; the adapter is damaged, or its weights are too large "
            f"for {parameter.dtype}"
        )
    keep(parameter)
    ops.assign(parameter, changed.to(parameter.dtype))


def _fuse(layer: Any, name: str, check: bool) -> None:
    base = layer.get_base_layer()
    bias = layer.lora_B[name].bias if layer.lora_bias[name] else None
    if bias is not None and getattr(base, "bias", None) is None:
        raise UsageError(
            f"the adapter {name!r} has a bias for {base.weight.name!r}, whose layer has no bias; use it without fusing"
        )
    _add(base.weight, layer.get_delta_weight(name), check)
    if bias is not None:
        _add(base.bias, bias, check)
    layer._caches[f"{name}-fused-scaling"] = layer.scaling[name]
    layer.merged_adapters.append(name)


def _unfuse(layer: Any, name: str) -> None:
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
    """Fuse adapters into the base layer's weight and bias.

    Args:
        self: the LoRA layer.
        safe_merge: whether to check that the fused weights are finite.
        adapter_names: the adapters to fuse; by default the active ones. Adapters that are already fused are skipped.

    Raises:
        ValueError: with `safe_merge`, if a fused weight is NaN or infinite.
        UsageError: if an adapter has a bias and the base layer has none.
    """
    from mindone.peft.tuners.tuners_utils import check_adapters_to_merge

    for name in check_adapters_to_merge(self, adapter_names) or ():
        if name in self.lora_A:
            _fuse(self, name, safe_merge)


def unmerge(self: Any) -> None:
    """Unfuse all fused adapters, each with the scale at which it was fused."""
    if not self.merged_adapters:
        warn_user("Already unmerged. Nothing to do.")
    for name in reversed(list(self.merged_adapters)):
        _unfuse(self, name)


def unfusing_when_disabled(original: Callable) -> Callable:
    """Wrap `LoraLayer.enable_adapters`: unfuse all adapters before they are disabled."""

    def enable_adapters(self: Any, enabled: bool) -> None:
        if not enabled and self.merged_adapters:
            unmerge(self)
        original(self, enabled)

    return enable_adapters


def unfusing_when_deleted(original: Callable) -> Callable:
    """Wrap `LoraLayer.delete_adapter`: unfuse the adapter before it is deleted."""

    def delete_adapter(self: Any, adapter_name: str) -> None:
        if adapter_name in self.merged_adapters:
            _unfuse(self, adapter_name)
        original(self, adapter_name)

    return delete_adapter


def _unfused_adapters(self: Any) -> list[str]:
    """Return the names of a layer's active adapters that are not fused."""
    return [name for name in self.active_adapters if name in self.lora_A and name not in self.merged_adapters]


unfused_adapters = property(_unfused_adapters)


def with_unfused_adapters(original: Callable) -> Callable:
    """Wrap a LoRA layer's `construct`: if some adapters are fused, add the output of the other active adapters."""

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
    """Wrap a model's `fuse_lora`: apply ``lora_scale`` to all named adapters, and only for this fusing.

    The wrapper raises a UsageError if the adapters are disabled or already fused with another weight.
    """

    def fuse_lora(
        model: Any, lora_scale: float = 1.0, safe_fusing: bool = False, adapter_names: list[str] | None = None
    ) -> None:
        layers = layers_of(model)
        _check_fusing(layers, lora_scale, adapter_names)
        with transaction(model):
            before = [dict(layer.scaling) for layer in layers]
            for layer in layers:  # mindone scales only the active adapters
                for name in set(adapter_names or ()) - set(layer.active_adapters):
                    if name in layer.scaling:
                        layer.scaling[name] *= lora_scale
            original(model, lora_scale, safe_fusing=safe_fusing, adapter_names=adapter_names)
            for layer, scaling in zip(layers, before, strict=True):  # lora_scale applies only to this fusing
                layer.scaling.update(scaling)

    return fuse_lora


def checking_before_fusing(original: Callable) -> Callable:
    """Wrap a pipeline's `fuse_lora`: check the names and all components before the first one changes.

    The wrapper raises a UsageError if a name is not loaded, or if the adapters are disabled or already fused with
    another weight.
    """

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
        for name, model in models_of(self).items():
            if name in components:
                _check_fusing(layers_of(model), lora_scale, adapter_names)
        original(
            self, components, lora_scale=lora_scale, safe_fusing=safe_fusing, adapter_names=adapter_names, **kwargs
        )

    return fuse_lora


def checking_before_deleting(original: Callable) -> Callable:
    """Wrap a pipeline's `delete_adapters`: raise a UsageError if a name is not loaded."""

    @functools.wraps(original)
    def delete_adapters(self: Any, adapter_names: list[str] | str) -> None:
        names = [adapter_names] if isinstance(adapter_names, str) else adapter_names
        _check_names(self, names, "delete_adapters()")
        original(self, names)

    return delete_adapters


def unfusing_for_another(original: Callable) -> Callable:
    """Wrap `LoraModel.set_adapter`: unfuse all adapters first, and warn if there were any."""

    @functools.wraps(original)
    def set_adapter(self: Any, adapter_name: str | list[str]) -> None:
        layers = [layer for layer in layers_of(self.model) if layer.merged]
        fused = dict.fromkeys(name for layer in layers for name in layer.merged_adapters)
        for layer in layers:
            unmerge(layer)
        original(self, adapter_name)
        if fused:
            active = [adapter_name] if isinstance(adapter_name, str) else adapter_name
            warn_user(unfused_warning(fused, active))

    return set_adapter


def refusing_dora(original: Callable) -> Callable:
    """Wrap the function that makes a LoRA's configuration: raise a UsageError for a DoRA."""

    def create_lora_config(*args: Any, **kwargs: Any) -> Any:
        config = original(*args, **kwargs)
        if getattr(config, "use_dora", False):
            raise UsageError("the LoRA is a DoRA (it has lora_magnitude_vector); mindone does not support it")
        return config

    return create_lora_config
