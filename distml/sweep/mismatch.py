"""What Ray says where versions differ, in a line for a user."""

import re

_WORDS = re.compile(
    r"Version mismatch: The cluster was started with:\s+Ray: (\S+)\s+Python: (\S+)\s+"
    r"This process on .* was started with:\s+Ray: (\S+)\s+Python: (\S+)"
)


def version_mismatch(said: str) -> str | None:
    """None where that is not what it says.

    >>> version_mismatch('''RuntimeError: Version mismatch: The cluster was started with:
    ...     Ray: 2.60.0
    ...     Python: 3.11.7
    ... This process on 10.0.0.6 was started with:
    ...     Ray: 2.59.1
    ...     Python: 3.11.7
    ... ''')
    'the cluster has Ray 2.60.0 and Python 3.11.7, this machine Ray 2.59.1 and Python 3.11.7: install the same on both'
    """
    found = _WORDS.search(said)
    if found is None:
        return None
    ray, python, own_ray, own_python = found.groups()
    there = f"the cluster has Ray {ray} and Python {python}"
    return f"{there}, this machine Ray {own_ray} and Python {own_python}: install the same on both"
