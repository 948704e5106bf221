"""Data sets in their own on-disk formats, read lazily: one file a family."""
