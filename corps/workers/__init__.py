"""What authors of applications subclass and call: Conc, Corps, Name, and creation."""
