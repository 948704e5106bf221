"""Per-pixel evidence of the classes that overhead imagery is asked for, by a small network trained for this project."""
