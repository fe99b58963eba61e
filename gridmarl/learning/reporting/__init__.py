"""What a training says while it runs."""
