"""mindone's pipelines with our schedulers: one door, :func:`mindone_tcd.load`."""
