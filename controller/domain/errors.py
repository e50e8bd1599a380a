"""The exceptions of Incumbent: one tree, so that every entry point can turn any of them into one sentence.

    IncumbentError                  exit code 5: the system could not answer
    ├── UserError                   exit code 2: wrong use, or input that cannot be used
    │   ├── PolicyInvalid           exit code 1: a policy that does not parse (all problems at once)
    │   ├── ConfigurationError      exit code 2: a setting that cannot be used
    │   ├── NotFound                exit code 3: the thing that was named does not exist
    │   ├── Unstorable              exit code 2: a value that the database cannot hold or compare
    │   ├── NotLoggedIn             exit code 2: nobody knows who asks
    │   └── Forbidden               exit code 2: known, and not allowed to do this
    ├── NegativeAnswer              exit code 1: the question was answered, and the answer is no
    ├── Conflict                    exit code 4: somebody else was first, or the view was stale
    │   ├── StaleGeneration         the champion moved between reading and writing
    │   ├── Fenced                  the writer's token has been superseded
    │   ├── AlreadyExists           the name is taken
    │   └── IllegalTransition       the life cycle has no such move
    ├── IntegrityError              exit code 1: stored bytes do not match their digest
    ├── DatabaseRefused             exit code 5: the database answers, and lacks what a statement needs
    └── Unavailable                 exit code 5: a database, broker or store does not answer
        ├── StorageFull             no space left where an artifact or a record was to be written
        └── Full                    a queue of ours is at its bound; nothing was taken, try again later

A message is one sentence that says what was found; ``hint`` says what to do about it.
"""

from __future__ import annotations


class IncumbentError(Exception):
    """Base of all errors that a user may meet. ``str(error)`` is one sentence without a stop-gap."""

    code = "error"
    exit_code = 5

    def __init__(
        self, message: str, *, hint: str = "", details: dict[str, object] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details or {}

    def sentence(self) -> str:
        """The message followed by the hint, as one line of text."""
        return f"{self.message} {self.hint}".strip()


class UserError(IncumbentError):
    """The command or its input was wrong."""

    code = "wrong_use"
    exit_code = 2


class PolicyInvalid(UserError):
    """A policy has problems; ``details["problems"]`` lists them all."""

    code = "policy_invalid"
    exit_code = 1


class ConfigurationError(UserError):
    """A setting is unknown, unreadable or contradicts another."""

    code = "configuration"


class NotFound(UserError):
    """The thing that was named does not exist."""

    code = "not_found"
    exit_code = 3


class Unstorable(UserError):
    """A value does not fit where the database was to hold or compare it: its range, type, size or characters."""

    code = "unstorable"


class NotLoggedIn(UserError):
    """Nobody knows who asks, or what they showed is no longer good."""

    code = "not_logged_in"


class Forbidden(UserError):
    """Who asks is known and may not do this."""

    code = "forbidden"


class NegativeAnswer(IncumbentError):
    """The question was answered, and the answer is no."""

    code = "negative"
    exit_code = 1


class Conflict(IncumbentError):
    """Somebody else was first, or the caller's view is out of date."""

    code = "conflict"
    exit_code = 4


class StaleGeneration(Conflict):
    """The champion moved between the snapshot and the write; decide anew."""

    code = "stale_generation"


class Fenced(Conflict):
    """The writer's fencing token has been superseded; its write does not count."""

    code = "fenced"


class AlreadyExists(Conflict):
    """The name is taken."""

    code = "already_exists"


class IllegalTransition(Conflict):
    """The life cycle has no such move."""

    code = "illegal_transition"


class IntegrityError(IncumbentError):
    """Stored bytes do not match the digest that names them."""

    code = "integrity"
    exit_code = 1


class DatabaseRefused(IncumbentError):
    """The database answers and refuses a statement: a table, a column or a right is missing, or it is not SQL there."""

    code = "database_refused"


class Unavailable(IncumbentError):
    """A database, broker, store or source does not answer now."""

    code = "unavailable"


class StorageFull(Unavailable):
    """No space is left where an artifact or a record was to be written."""

    code = "storage_full"


class Full(Unavailable):
    """A queue of ours is at its bound. Nothing was taken; the same may be tried again later."""

    code = "full"
