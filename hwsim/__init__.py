"""hwsim: simulator, matching RTL and energy for low-bit neural network hardware."""

__version__ = "0.1.0"
