"""``python -m gridmarl`` is the command ``gridmarl``."""

from gridmarl.cli import main

if __name__ == "__main__":
    main()
