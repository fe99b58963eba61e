"""A language model among those who pick from menus: its questions, its deadlines, and one that runs here."""
