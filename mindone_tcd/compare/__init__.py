"""Compare two ways to run a model: time, size, memory and images. The command ``mindone-tcd compare`` uses it."""
