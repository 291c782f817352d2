"""Frames over UNIX stream sockets: the default between Envs of one host."""
