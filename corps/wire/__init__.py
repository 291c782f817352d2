"""The protocol between two Envs as frames: layout, kinds, limits and version.

Bytes in, values out; no socket. The page `docs/reference/wire-protocol.md` is its specification.
"""
