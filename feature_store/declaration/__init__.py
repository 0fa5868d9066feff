"""The pipeline file as typed, validated models."""
