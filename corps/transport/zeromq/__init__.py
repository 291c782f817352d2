"""Frames over ZeroMQ: ipc and tcp, with CURVE and admission."""
