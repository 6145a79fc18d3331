"""``load_ip_adapter``: load IP-Adapter files and their image encoder. All checks run before the pipeline changes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..errors import UsageError, first_line, shown, warn_user
from ..files.safetensors import check_floats, read_header
from . import files
from .ip_adapter_keys import FACE_LORA, Kind, attention_shapes, compare, kind_of
from .lora import lora_shapes
from .lora_plan import describe, make_plan

if TYPE_CHECKING:
    import mindspore as ms
    from mindone.diffusers import DiffusionPipeline
    from mindone.transformers import CLIPVisionModelWithProjection

    Source: TypeAlias = str | Path | Mapping[str, Mapping[str, np.ndarray | ms.Tensor]]

Groups = dict[str, dict[str, np.ndarray]]
_GROUPS = ("image_proj", "ip_adapter")


def load_ip_adapter(
    original: Callable,
    pipe: DiffusionPipeline,
    source: Source | list[Source],
    subfolder: str | list[str] | None = None,
    weight_name: str | list[str] | None = None,
    image_encoder_folder: str | None = "image_encoder",
    *,
    strict: bool = True,
    **hub: Any,
) -> None:
    """Load one or several IP-Adapters. If loading fails, the pipeline stays unchanged.

    Args:
        original: mindone's own method, which assigns the checked tensors.
        pipe: a pipeline of mindone with a UNet.
        source: a folder, a safetensors file, a hub id, or the tensors as ``{"image_proj": …, "ip_adapter": …}``; or a
            list of these.
        subfolder: the subfolder of the folder or repository that contains the file; or a list with one per adapter.
        weight_name: the file's name. It is optional if the folder holds only one safetensors file. For several
            IP-Adapters, a list.
        image_encoder_folder: the image encoder's folder. A name without a slash is relative to ``subfolder``; a name
            with a slash is relative to the repository. None loads no image encoder. Ignored if the pipeline already
            has an image encoder.
        strict: whether keys that an IP-Adapter does not have raise an error. If False, they are skipped with a warning.
        hub: ``cache_dir``, ``force_download``, ``proxies``, ``local_files_only``, ``token``, ``revision``.

    Raises:
        UsageError: if a file cannot be found, downloaded or read, or if tensors are missing, unexpected, or of another
            shape than this pipeline's UNet or image encoder needs.

    Warns:
        UserWarning: with ``strict=False``, if keys are skipped.
    """
    unknown = sorted(set(hub) - set(files.HUB_OPTIONS))
    if unknown:
        raise UsageError(f"load_ip_adapter does not know {', '.join(unknown)}; leave it out")
    sources, subfolders, names = _as_lists(source, subfolder, weight_name)
    adapters = []
    for each, inside, name in zip(sources, subfolders, names, strict=True):
        label, groups, extra = _read(each, inside, name, hub)
        kind = _check(pipe.unet, label, groups, extra, type(pipe).__name__, strict)
        adapters.append((label, groups, kind))
    encoder = _encoder(pipe, sources[0], subfolders[0], image_encoder_folder, hub)
    for label, groups, kind in adapters:
        _check_encoder(label, groups, kind, encoder.config if encoder else _config(pipe))
    loaded = encoder.load(pipe.dtype) if encoder else None
    states = [_parameters(groups) for _, groups, _ in adapters]
    if loaded is not None:
        pipe.register_modules(image_encoder=loaded)
    original(pipe, states, subfolder=subfolders, weight_name=names, image_encoder_folder=None)


def _as_lists(source: Any, subfolder: Any, weight_name: Any) -> tuple[list, list, list]:
    lists = [value if isinstance(value, list) else [value] for value in (source, subfolder, weight_name)]
    count = max(map(len, lists))
    if any(len(values) not in (1, count) for values in lists):
        sizes = ", ".join(
            f"{len(values)} {name}"
            for name, values in zip(("sources", "subfolders", "weight names"), lists, strict=True)
        )
        raise UsageError(f"{sizes}: expected one of each per IP-Adapter, or one for all")
    sources, subfolders, names = (values * count if len(values) == 1 else values for values in lists)
    return sources, subfolders, names


def _read(source: Source, subfolder: str | None, weight_name: str | None, hub: dict) -> tuple[str, Groups, list[str]]:
    groups: Groups = {name: {} for name in _GROUPS}
    if isinstance(source, Mapping):
        extra = [key for key in source if key not in _GROUPS]
        for name in _GROUPS:
            groups[name] = files.as_arrays(dict(source.get(name, {})))
        return "a dict", groups, extra
    path = files.find(source, weight_name, subfolder, "IP-Adapter", **hub)
    tensors, _ = files.read_safetensors(path)
    extra = []
    for key, value in tensors.items():
        group, _, rest = key.partition(".")
        if group in groups and rest:
            groups[group][rest] = value
        else:
            extra.append(key)
    return str(path), groups, extra


def _check(unet: Any, label: str, groups: Groups, extra: list[str], pipeline: str, strict: bool) -> Kind:
    """Check the tensors against the UNet. With ``strict=False``, drop the keys that an IP-Adapter does not have."""
    config = unet.config
    for name in _GROUPS:
        if not groups[name]:
            found = _some([*extra, *(f"{n}.{key}" for n in _GROUPS for key in groups[n])])
            raise UsageError(
                f"{label} is not an IP-Adapter: it holds no '{name}.' tensors, but {found}; expected 'image_proj.' and "
                "'ip_adapter.' tensors, as in ip-adapter_sdxl.safetensors"
            )
    kind = kind_of(groups["image_proj"])
    if kind is None:
        raise UsageError(
            f"{label} is an IP-Adapter of an unknown kind: its image_proj has {_some(list(groups['image_proj']))}; "
            "expected an IP-Adapter, Plus, Full Face, Face ID or Face ID Plus"
        )
    shapes = {name: {key: value.shape for key, value in groups[name].items()} for name in _GROUPS}
    face = {key: FACE_LORA.fullmatch(key) for key in groups["ip_adapter"]}
    attention = {key: shape for key, shape in shapes["ip_adapter"].items() if not face[key]}
    wanted = attention_shapes(unet.attn_processors, tuple(config.block_out_channels), config.cross_attention_dim)
    faults, more = compare(
        "image_proj", shapes["image_proj"], kind.shapes(shapes["image_proj"], config.cross_attention_dim)
    )
    other_faults, others = compare("ip_adapter", attention, wanted)
    faults += other_faults + _dtype_faults(groups)
    faults += _face_faults(unet, {key: groups["ip_adapter"][key] for key in face if face[key]})
    if faults:
        raise UsageError(
            f"{label} does not fit {pipeline} as {kind.name}: {_some(faults)}; expected the {kind.name} made for this "
            f"base model (cross-attention width {config.cross_attention_dim})"
        )
    extra = [*extra, *more, *others]
    if extra:
        text = f"{label}: {len(extra)} keys that the {kind.name} of {pipeline} does not have: {_some(extra)}"
        if strict:
            raise UsageError(f"{text}; use the file made for this base model, or pass strict=False to skip these keys")
        warn_user(f"skipped {text}")
        for key in (*more, *others):
            group, _, rest = key.partition(".")
            del groups[group][rest]
    return kind


def _dtype_faults(groups: Groups) -> list[str]:
    return [
        f"{name}.{key} has the dtype {value.dtype}, but float32, float16 or bfloat16 is needed"
        for name, tensors in groups.items()
        for key, value in tensors.items()
        if not np.issubdtype(value.dtype, np.floating)
    ]


def _face_faults(unet: Any, tensors: dict[str, np.ndarray]) -> list[str]:
    """Return the faults of the LoRA inside a Face ID file. Such a file numbers all attentions from 0."""
    if not tensors:
        return []
    names = list(unet.attn_processors)
    lora, faults = {}, []
    for key, value in tensors.items():
        number, _, rest = key.partition(".")
        if int(number) < len(names):
            lora[f"unet.{names[int(number)]}.{rest}"] = value
        else:
            faults.append(f"ip_adapter.{key} is for an attention that the UNet does not have")
    needed = {f"{n}.to_{p}_lora.{side}.weight" for n in {k.split(".")[0] for k in tensors}
              for p in ("q", "k", "v", "out") for side in ("down", "up")}  # fmt: skip
    faults += [f"ip_adapter.{key} is missing" for key in sorted(needed - set(tensors))]
    if not faults and (left_out := make_plan(lora, {}, {"unet": lora_shapes(unet)}, None).left_out):
        faults.append(describe(left_out))
    return faults


def _some(items: list[str], examples: int = 3) -> str:
    if not items:
        return "nothing"
    more = f", … ({len(items)} in all)" if len(items) > examples else ""
    readable = (item if item.isprintable() and len(item) <= 200 else shown(item) for item in items[:examples])
    return ", ".join(readable) + more


class _Encoder:
    """An image encoder to load. Its configuration is read and its weight files are checked at creation."""

    def __init__(self, source: Any, folder: str, hub: dict) -> None:
        self.source, self.folder, self.hub = source, folder, hub
        self.config = self._read_config()

    def _read_config(self) -> dict:
        where = f"{self.source}/{self.folder}"
        path = Path(self.source).expanduser() / self.folder
        if not Path(self.source).expanduser().is_dir():
            path = files.fetch(str(self.source), "config.json", self.folder, "image encoder", self.hub).parent
        elif not (path / "config.json").is_file():
            raise UsageError(
                f"{where} does not exist or has no config.json; expected the IP-Adapter's image encoder: pass its "
                "folder as image_encoder_folder, or pass image_encoder_folder=None and give the call "
                "ip_adapter_image_embeds"
            )
        else:
            weights = sorted(path.glob("*.safetensors"))
            if not weights:
                pickles = ", ".join(sorted(p.name for p in path.glob("*.bin"))) or "none at all"
                raise UsageError(
                    f"{where} has no safetensors weights ({pickles}); only safetensors are loaded, nothing is "
                    "unpickled: fetch model.safetensors or convert it"
                )
            for file in weights:
                check_floats(read_header(file))
        try:
            return json.loads((path / "config.json").read_text(encoding="utf-8"))
        except ValueError as error:
            raise UsageError(f"{where}/config.json cannot be read ({error}); fetch it again") from error

    def load(self, dtype: ms.Type) -> CLIPVisionModelWithProjection:
        from mindone.transformers import CLIPVisionModelWithProjection

        options = {key: self.hub[key] for key in ("cache_dir", "local_files_only", "revision") if key in self.hub}
        try:
            return CLIPVisionModelWithProjection.from_pretrained(
                str(self.source), subfolder=self.folder, mindspore_dtype=dtype, use_safetensors=True, **options
            )
        except UsageError as error:
            raise UsageError(f"the image encoder {self.source}/{self.folder} cannot be loaded: {error}") from error
        except (OSError, ValueError) as error:
            raise UsageError(
                f"the image encoder {self.source}/{self.folder} cannot be loaded ({first_line(error)}); with no "
                "network, download the repository elsewhere and pass its folder"
            ) from error


def _encoder(pipe: Any, source: Any, subfolder: str | None, folder: str | None, hub: dict) -> _Encoder | None:
    """Return the image encoder to load; None if none is needed."""
    if not hasattr(pipe, "image_encoder") or pipe.image_encoder is not None:
        return None
    if folder is None:  # mindone logs what this means
        return None
    if isinstance(source, Mapping):
        raise UsageError(
            "a dict holds no image encoder: give the pipeline one (image_encoder=…), or pass "
            "image_encoder_folder=None and give the call ip_adapter_image_embeds"
        )
    if Path(source).expanduser().is_file():
        source = Path(source).expanduser().parent
        subfolder = None
    if "/" not in folder and subfolder:
        folder = f"{subfolder}/{folder}"
    return _Encoder(source, folder, hub)


def _config(pipe: Any) -> dict:
    encoder = getattr(pipe, "image_encoder", None)
    return {} if encoder is None else encoder.config.to_dict()


def _check_encoder(label: str, groups: Groups, kind: Kind, config: dict) -> None:
    if kind.features is None or kind.width is None or kind.features not in config:
        return
    key, axis = kind.width
    needs = groups["image_proj"][key].shape[axis]
    if config[kind.features] != needs:
        raise UsageError(
            f"{label} needs image features of width {needs} (image_proj.{key}), but this image encoder's "
            f"{kind.features} is {config[kind.features]}; use the image encoder that the adapter was trained with "
            "(image_encoder_folder, such as 'models/image_encoder' for the ViT-H ones)"
        )


def _parameters(groups: Groups) -> dict[str, dict[str, Any]]:
    import mindspore as ms

    return {
        name: {
            key: ms.Parameter(ms.Tensor(np.ascontiguousarray(value)), name=f"{name}.{key}")
            for key, value in tensors.items()
        }
        for name, tensors in groups.items()
    }
