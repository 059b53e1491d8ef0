"""The error of a bad setting."""


class ConfigurationError(Exception):
    """A setting is missing or bad; the message is one line that names the variable."""
