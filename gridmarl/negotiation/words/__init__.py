"""A household's own words read into settings."""
