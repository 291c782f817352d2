"""One worker from its construction to its end: its mailbox, what it performs, its children, its states."""
