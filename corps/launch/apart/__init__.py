"""Corps that this process has booted in other processes: their life is not that of this process."""
