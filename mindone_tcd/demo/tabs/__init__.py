"""The tabs of the page, with a file for each task."""
