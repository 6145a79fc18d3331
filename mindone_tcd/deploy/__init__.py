"""Pipelines as MindIR graphs: writing them to a folder, and running them from it without mindone."""
