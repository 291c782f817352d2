"""What travels: requests, the promises that await their outcomes, and the outcomes.

Values only. Nothing here knows a thread, a socket or a packing; every thread may use them. A request
has exactly one promise, settled exactly once, by whoever holds it last.
"""
