"""Check that this machine reproduces known images of the shipped model, and report the result."""
