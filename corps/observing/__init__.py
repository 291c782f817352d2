"""Counting what goes wrong, and keeping the last of it. Pure: the caller passes the time in."""
