"""What holds for all tests."""

from hypothesis import settings

# How long a machine takes for an example is no matter of right and wrong.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
