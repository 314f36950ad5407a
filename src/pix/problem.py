"""What the user can put right: one line, no traceback.

Every command raises `Problem` for a mistake of its user or its surroundings; the
command line prints it and ends with status 2. Bugs are other exceptions.
"""


class Problem(Exception):
    """One line that says what is wrong, where, and what to do."""
