"""Tests of mindone_tcd.cpu."""
