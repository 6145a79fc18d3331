"""Defects of mindone that a user of its few-step pipelines meets, and their patches: one file each."""
