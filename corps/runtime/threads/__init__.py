"""The threads of an Env: the pool, the one that reads, the event loop, alarms, and gates to wait at."""
