"""The caller's side of a request: Futures, waiting, circles of waits, and what is tried again."""
