"""A scorer: what a sweep leaves to deploy. It opens without Ray, without Lightning and without the training data."""
