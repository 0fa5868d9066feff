"""Explaining one decision: what is stored about it, its score reproduced, its exact reasons."""
