"""What a Corps offers beside workers: Dirs, in which workers are found."""
