"""Dirs: workers are registered under a tag or their class, and found by it from every Env."""
