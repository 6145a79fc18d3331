"""Each patch has a test that fails without it: run with MINDONE_TCD_PATCHES=cpu to see them fail."""
