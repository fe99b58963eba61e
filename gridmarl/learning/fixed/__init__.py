"""Behaviours that do not learn, at their best."""
