"""The one place that talks to Ray Tune: its names change often, so nothing else imports them."""
