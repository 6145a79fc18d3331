"""Checks of pipeline calls, loading and saving in mindone, so that bad input fails before any long work."""
