"""The networks of a pipeline as calls with tensors only, for their export as graphs.

Each part has the names of its inputs and the source of a call. The names are those of the manifest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mindspore import nn

    Shapes = dict[str, tuple[tuple[int, ...], str]]


@dataclass(frozen=True)
class Call:
    """A call of a network.

    Attributes:
        part: its name in the manifest.
        network: the network.
        body: the source of statements that call ``self.part`` and return.
        inputs: shape and dtype of each argument, by name.
        weights: the file of the weights in the exported folder. Calls of the same network share it.
        sized: whether the shapes depend on the size of the image.
    """

    part: str
    network: nn.Cell
    body: tuple[str, ...]
    inputs: Shapes
    weights: str
    sized: bool = True

    @property
    def source(self) -> str:
        lines = "".join(f"    {line}\n" for line in self.body)
        return f"def construct(self, {', '.join(self.inputs)}):\n{lines}"


def text_encoders(pipe: Any, family: str) -> list[Call]:
    """Return the calls of the text encoders: ids -> hidden states, and for the last one of SDXL the pooled ones."""
    names = ("text_encoder", "text_encoder_2") if family == "SDXL" else ("text_encoder",)
    calls = []
    for name in names:
        length = getattr(pipe, name.replace("text_encoder", "tokenizer")).model_max_length
        body: tuple[str, ...] = ("return self.part(ids)[0]",)
        if family == "SDXL":
            results = "found[-1][-2]" if name == "text_encoder" else "found[-1][-2], found[0]"
            body = "found = self.part(ids, output_hidden_states=True)", f"return {results}"
        calls.append(
            Call(name, getattr(pipe, name), body, {"ids": ((1, length), "int64")}, f"{name}/weights.safetensors", False)
        )
    return calls


def unet(pipe: Any, family: str, size: tuple[int, int], batch: int, dtype: str, controlled: bool) -> Call:
    """Return the call of the UNet, with the residuals of a ControlNet if it is controlled."""
    inputs = _common(pipe, family, size, batch, dtype)
    arguments = _arguments(inputs)
    config = pipe.unet.config
    if config.time_cond_proj_dim is not None:
        inputs["guidance"] = ((batch, config.time_cond_proj_dim), dtype)
        arguments.append("timestep_cond=guidance")
    if controlled:
        shapes = residual_shapes(config, inputs["latents"][0])
        names = [f"residual_{k}" for k in range(len(shapes))]
        inputs |= {name: (shape, dtype) for name, shape in zip(names, shapes, strict=True)}
        arguments.append(f"down_block_additional_residuals=({', '.join(names[:-1])},)")
        arguments.append(f"mid_block_additional_residual={names[-1]}")
    body = (f"return self.part({', '.join(arguments)}, return_dict=False)[0]",)
    return Call("unet_controlled" if controlled else "unet", pipe.unet, body, inputs, "unet/weights.safetensors")


def controlnet(pipe: Any, network: Any, name: str, family: str, size: tuple[int, int], batch: int, dtype: str) -> Call:
    """Return the call of a ControlNet: the residuals of the down blocks and, at the end, of the middle block."""
    inputs = _common(pipe, family, size, batch, dtype)
    arguments = _arguments(inputs)
    inputs |= {"map": ((batch, 3, size[1], size[0]), dtype), "scale": ((), dtype)}
    arguments += ["controlnet_cond=map", "conditioning_scale=scale", "return_dict=False"]
    count = len(residual_shapes(pipe.unet.config, inputs["latents"][0])) - 1
    body = (
        f"down, middle = self.part({', '.join(arguments)})",
        f"return {', '.join(f'down[{k}]' for k in range(count))}, middle",
    )
    return Call(name, network, body, inputs, f"{name}/weights.safetensors")


def vae(pipe: Any, size: tuple[int, int], batch: int, dtype: str, scale: int) -> list[Call]:
    """Return the calls of the decoder (latents -> pixels) and the encoder (pixels -> means and log-variances)."""
    channels = pipe.vae.config.latent_channels
    latents = (batch, channels, size[1] // scale, size[0] // scale)
    file = "vae/weights.safetensors"
    return [
        Call("vae_decoder", pipe.vae, ("return self.part._decode(latents)[0]",), {"latents": (latents, dtype)}, file),
        Call(
            "vae_encoder",
            pipe.vae,
            ("return self.part._encode(pixels)",),
            {"pixels": ((1, 3, size[1], size[0]), dtype)},
            file,
        ),
    ]


def residual_shapes(config: Any, latents: Sequence[int]) -> list[tuple[int, ...]]:
    """Return the shapes of a ControlNet's residuals for a UNet with this configuration, the middle block last."""
    batch, _, height, width = latents
    widths = list(config.block_out_channels)
    layers = config.layers_per_block
    layers = [layers] * len(widths) if isinstance(layers, int) else list(layers)
    shapes: list[tuple[int, ...]] = [(batch, widths[0], height, width)]
    for block, channels in enumerate(widths):
        shapes += [(batch, channels, height, width)] * layers[block]
        if block < len(widths) - 1:
            height, width = (height + 1) // 2, (width + 1) // 2
            shapes.append((batch, channels, height, width))
    return [*shapes, (batch, widths[-1], height, width)]


def _common(pipe: Any, family: str, size: tuple[int, int], batch: int, dtype: str) -> Shapes:
    scale = 2 ** (len(pipe.vae.config.block_out_channels) - 1)
    inputs: Shapes = {
        "latents": ((batch, pipe.unet.config.in_channels, size[1] // scale, size[0] // scale), dtype),
        "timestep": ((batch,), "int64"),
        "prompt": ((batch, pipe.tokenizer.model_max_length, pipe.unet.config.cross_attention_dim), dtype),
    }
    if family == "SDXL":
        inputs["pooled"] = ((batch, pipe.text_encoder_2.config.projection_dim), dtype)
        inputs["time_ids"] = ((batch, 6), dtype)
    return inputs


def _arguments(inputs: Shapes) -> list[str]:
    arguments = ["latents", "timestep", "encoder_hidden_states=prompt"]
    if "pooled" in inputs:
        arguments.append("added_cond_kwargs={'text_embeds': pooled, 'time_ids': time_ids}")
    return arguments
