"""Parallel work: one function over many items, in all Envs of a Corps, and executors that others know."""
