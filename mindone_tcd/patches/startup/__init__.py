"""Patches that make programs start faster: they reach into mindone, transformers, torch and scipy."""
