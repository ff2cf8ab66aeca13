"""Training of the shipped networks: ``python -m hwsim.models`` (extras ``torch`` and ``notebook``)."""
