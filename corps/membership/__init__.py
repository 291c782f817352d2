"""Which Envs a Corps has, in which process each lives, and what is done when one dies or falls silent."""
