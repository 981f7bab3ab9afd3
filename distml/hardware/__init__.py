"""What there is to train on, as the machine itself tells it."""
