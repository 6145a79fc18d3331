"""Compare two ways to run a model: time, size, memory and images. The command ``mindone-tcd compare`` uses it."""

FILES = ("comparison.md", "comparison.json", "sheet.png", "plot.png")
"""The files of a report."""

TIMED = 10
"""How many prompts are timed by default."""

JUDGED = 96
"""How many prompts are judged by default, where the judge applies."""
