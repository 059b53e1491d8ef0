"""The message door: the broker, the actors that workers run, and the work that starts by itself."""
