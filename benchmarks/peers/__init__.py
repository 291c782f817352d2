"""The systems that corps is compared with, each in a file that is imported by its own process only."""
