"""What was lived through, in memory and in files."""
