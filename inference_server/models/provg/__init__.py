"""ProVG: survey, locate, verify; boxes and masks from one network (the paper of that name, 2026), and its engine."""
