"""Measured negotiations: what they are worth, strategies compared, tables and files."""
