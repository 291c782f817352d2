"""What travels: requests, the promises that await their outcomes, and the outcomes.

Values only. Nothing here knows a thread, a socket or a packing. A Request is owned by one holder at a time;
everything else is thread-safe. A request has exactly one promise, and its last holder settles it exactly
once.
"""
