"""Files that this package writes: atomically, temporarily, or in a cache."""
