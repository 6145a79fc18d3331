"""Pipelines whose networks run as compiled graphs (`ms.jit`). A stale graph is never used."""

from .pipeline import compile_pipeline, compiled_form, running, uncompile_pipeline

__all__ = ["compile_pipeline", "compiled_form", "running", "uncompile_pipeline"]
