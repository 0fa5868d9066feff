"""The compiled window engine: exact sliding windows over columnar state, without a Python object per event."""
