"""Processes of other hosts: a parent there starts them, and one stream of bytes leads to it."""
