"""Counting what goes wrong, and keeping the last of it: pure, with the clock passed in."""
