"""Our schedulers under the names by which mindone looks classes up: `schedulers/registration.py` puts them there.

Here it is done as soon as there is a pipeline to load; not with `mindone.diffusers` itself, which is imported while our
schedulers are still on their way in.
"""

from __future__ import annotations

from collections.abc import Callable


def _register(original: object) -> object:
    from .. import schedulers

    schedulers.register()
    return original


REPLACED: dict[str, Callable] = {"mindone.diffusers.pipelines.pipeline_utils:DiffusionPipeline": _register}
