"""Patches for defects of mindone that affect its few-step pipelines: one file for each defect."""
