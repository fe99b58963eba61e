"""``python -m gridmarl`` is the command ``gridmarl``."""

from __future__ import annotations

from gridmarl.cli import main

if __name__ == "__main__":
    main()
