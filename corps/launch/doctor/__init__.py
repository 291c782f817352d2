"""`corps doctor`: what of this host, or of an address, would stop a Corps, and what to do about it."""
