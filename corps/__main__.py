"""``python -m corps`` is the `corps` command."""

from corps.cli.main import main

if __name__ == "__main__":
    main()
