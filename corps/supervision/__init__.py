"""What is to be done about a worker that failed: rules only.

Nothing here has a clock, a thread or a worker. What happened goes in with its time, what is to be done comes
out; `corps.runtime.cells.supervising` does it.
"""
