"""What travels: requests, the promises that await their outcomes, and the outcomes.

Values only. Nothing here knows a thread, a socket or a packing. A Request is owned by one holder at a time;
everything else any thread may use. A request has exactly one promise, settled exactly once, by whoever
holds it last.
"""
