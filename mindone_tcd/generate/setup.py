"""What a loaded pipeline consists of: the model, its recipe, the parts beside it, and the features of its calls."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..deploy.manifest import Manifest
from ..files.model_folder import Model
from .parts import Part
from .recipes import Recipe
from .tasks.feature import Feature


@dataclass(frozen=True)
class Setup:
    """A pipeline that can be loaded.

    Attributes:
        task: the name of the task.
        model: the base model.
        recipe: the method with its LoRA and defaults.
        pipeline_class: the name of the pipeline's class in mindone.diffusers.
        features: what its calls can do.
        parts: the networks and LoRAs beside the model.
        given_maps: for each ControlNet or T2I-Adapter, whether a call passes finished maps instead of images.
        depth_model: the folder or hub id of the depth estimator for photos.
        exported: the manifest, if the model is an exported folder; the other attributes then come from it.
    """

    task: str
    model: Model
    recipe: Recipe
    pipeline_class: str
    features: tuple[Feature, ...] = ()
    parts: tuple[Part, ...] = ()
    given_maps: tuple[bool, ...] = ()
    depth_model: str | Path | None = None
    exported: Manifest | None = None

    def of(self, role: str) -> list[Part]:
        """Return the parts of a role."""
        return [part for part in self.parts if part.role == role]

    @property
    def multiple(self) -> int:
        """The divisor of an image's width and height."""
        return max([8, self.model.vae_scale, *(feature.multiple for feature in self.features)])

    @property
    def sizes(self) -> tuple[tuple[int, int], ...] | None:
        """The possible widths and heights; None for all."""
        return None if self.exported is None else self.exported.sizes

    @property
    def animated(self) -> bool:
        """Whether a call returns clips instead of images."""
        return any("frames" in feature.takes for feature in self.features)
