"""The engine of one Env: cells, worker threads, Futures, the event loop, alarms.

Runs what `workers` defines without importing it. Two Envs share nothing: everything hangs on an `Env`.
"""
