"""What may be wrong with a scorer."""

from distml.errors import DistmlError


class ScorerError(DistmlError):
    """A scorer cannot be opened, or a table not be scored by it; the message says why and what to do."""
