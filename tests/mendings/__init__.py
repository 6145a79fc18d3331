"""Each mending has a test that fails without it: run with MENDINGS=off to see them fail."""
