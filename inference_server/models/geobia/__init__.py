"""The embedded engine: geographic object-based image analysis on a region tree, without weights."""
