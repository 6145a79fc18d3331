"""Parameters that keep the name of their place in the model.

`resnets[1:]` of a CellList is a new CellList, and that names the parameters in it anew ("0.conv1.weight"). Putting a
base layer back where a LoRA layer was names them too ("conv1.weight"), and so does an IP-Adapter's attention
("processor.to_k_ip.0.weight", once for each). Then what goes by names fails: `ms.jit` finds
names twice, and `UNetMotionModel.from_unet2d` leaves what it cannot find as it was, at random.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


def restore_names(model: Any) -> None:
    """Name every parameter of a Cell by its place, as when the model was built."""
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
    """`UNetMidBlock2DCrossAttn.construct`: a resnet, then an attention and a resnet in turn."""
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
    """`UNetMidBlockCrossAttnMotion.construct`: a resnet, then an attention, a motion module and a resnet in turn."""
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
    """`UNetMidBlock2DSimpleCrossAttn.construct`: its attentions have one mask, by default that of the text."""
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
    @functools.wraps(original)
    def change(model: Any, *args: Any, **kwargs: Any) -> Any:
        result = original(model, *args, **kwargs)
        restore_names(model)
        return result

    return change
