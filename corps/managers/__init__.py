"""The runtime's own Concs, the membership of a Corps, and the one place where an Env is put together."""
