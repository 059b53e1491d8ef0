"""What is wrong with a setting."""


class ConfigurationError(Exception):
    """A setting is missing or bad; the message is one line that names the variable."""
