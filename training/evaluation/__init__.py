"""How good scores are: measures with weights, ties and intervals."""
