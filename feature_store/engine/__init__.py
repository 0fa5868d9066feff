"""The compiled window engine: exact sliding windows over columnar state, no Python object per event."""
