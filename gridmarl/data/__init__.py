"""What the world brings along: tables of real data, made-up shapes for worlds without data, and their time grids."""
