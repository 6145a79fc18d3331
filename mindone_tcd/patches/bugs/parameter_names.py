"""Keep the full names of parameters, such as "up_blocks.0.resnets.0.conv1.weight".

In mindone, three operations rename parameters: a slice of a CellList, such as `resnets[1:]`, creates a new CellList
("0.conv1.weight"); a base layer replaces its LoRA layer ("conv1.weight"); and the attention layers get IP-Adapter
processors ("processor.to_k_ip.0.weight" in each of them). Code that relies on names then fails: `ms.jit` finds
duplicate names, and `UNetMotionModel.from_unet2d` leaves random values in the parameters that it does not find.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


def restore_names(model: Any) -> None:
    """Name each parameter of a Cell by its path in the model, as when the model was built."""
    for name, parameter in model.parameters_and_names():
        parameter.name = name


def _attended(
    attention: Any,
    hidden_states: Any,
    encoder_hidden_states: Any,
    cross_attention_kwargs: Any,
    attention_mask: Any,
    encoder_attention_mask: Any,
) -> Any:
    return attention(
        hidden_states,
        encoder_hidden_states=encoder_hidden_states,
        cross_attention_kwargs=cross_attention_kwargs,
        attention_mask=attention_mask,
        encoder_attention_mask=encoder_attention_mask,
        return_dict=False,
    )[0]


def mid_block(
    self: Any,
    hidden_states: Any,
    temb: Any = None,
    encoder_hidden_states: Any = None,
    attention_mask: Any = None,
    cross_attention_kwargs: Any = None,
    encoder_attention_mask: Any = None,
) -> Any:
    """Replace `UNetMidBlock2DCrossAttn.construct`: a resnet, then pairs of an attention and a resnet."""
    given = encoder_hidden_states, cross_attention_kwargs, attention_mask, encoder_attention_mask
    hidden_states = self.resnets[0](hidden_states, temb)
    for place, attention in enumerate(self.attentions):
        hidden_states = _attended(attention, hidden_states, *given)
        hidden_states = self.resnets[place + 1](hidden_states, temb)
    return hidden_states


def motion_mid_block(
    self: Any,
    hidden_states: Any,
    temb: Any = None,
    encoder_hidden_states: Any = None,
    attention_mask: Any = None,
    cross_attention_kwargs: Any = None,
    encoder_attention_mask: Any = None,
    num_frames: int = 1,
) -> Any:
    """Replace `UNetMidBlockCrossAttnMotion.construct`: a resnet, then triples of attention, motion module, resnet."""
    given = encoder_hidden_states, cross_attention_kwargs, attention_mask, encoder_attention_mask
    hidden_states = self.resnets[0](hidden_states, temb)
    for place, attention in enumerate(self.attentions):
        hidden_states = _attended(attention, hidden_states, *given)
        hidden_states = self.motion_modules[place](hidden_states, None, None, None, num_frames, None)
        hidden_states = self.resnets[place + 1](hidden_states, temb)
    return hidden_states


def simple_mid_block(
    self: Any,
    hidden_states: Any,
    temb: Any = None,
    encoder_hidden_states: Any = None,
    attention_mask: Any = None,
    cross_attention_kwargs: Any = None,
    encoder_attention_mask: Any = None,
) -> Any:
    """Replace `UNetMidBlock2DSimpleCrossAttn.construct`: its attentions use one mask, by default that of the prompt."""
    mask = attention_mask
    if mask is None and encoder_hidden_states is not None:
        mask = encoder_attention_mask
    options = {} if cross_attention_kwargs is None else cross_attention_kwargs
    hidden_states = self.resnets[0](hidden_states, temb)
    for place, attention in enumerate(self.attentions):
        hidden_states = attention(
            hidden_states, encoder_hidden_states=encoder_hidden_states, attention_mask=mask, **options
        )
        hidden_states = self.resnets[place + 1](hidden_states, temb)
    return hidden_states


def restoring_names(original: Callable) -> Callable:
    """Wrap a function that changes the model, its first argument: restore the names of its parameters afterwards."""

    @functools.wraps(original)
    def change(model: Any, *args: Any, **kwargs: Any) -> Any:
        result = original(model, *args, **kwargs)
        restore_names(model)
        return result

    return change
