"""The parts of `python -m bench`, one measurement per module."""
