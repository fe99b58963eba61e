"""Optimisers in the auction's own terms: one local problem per owner, coupled by the power balance."""
