"""Turning objects into bytes and back: for the wire, and in a durable form for files.

The only place that calls a pickle. Pure: no threads, no sockets, no clock. Thread-safe.

Nothing outside imports cloudpickle or dill. Nothing in here knows about Envs or links.
"""
