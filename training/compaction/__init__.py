"""Compaction: a fitted model made smaller before it is judged, so that what is judged is what is served."""
