"""What a training leaves in its folder."""
