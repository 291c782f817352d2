"""The `corps` command."""
