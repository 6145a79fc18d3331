"""Pipelines whose networks run as compiled graphs (`ms.jit`). A stale graph is never used."""
