"""RSVG-ZeroOV: the attention of a VLM, the structure of a diffusion model, grown into masks."""
