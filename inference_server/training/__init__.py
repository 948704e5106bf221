"""Recipes: what is fitted or trained, one file each. Not imported by the server."""
