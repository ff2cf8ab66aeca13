"""Training of the shipped networks: ``python -m hwsim.models`` (extra ``torch``, and scikit-learn)."""
