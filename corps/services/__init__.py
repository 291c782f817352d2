"""What a Corps offers beside workers: Dirs, in which workers are found, and one log of all Envs."""
