"""The protocol between two Envs as frames: layout, kinds, limits, version, and the windows of credit.

Bytes in, values out; no socket. The page `docs/reference/wire-protocol.md` is its specification.
"""
