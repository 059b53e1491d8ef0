"""Place, modify, cancel and read orders."""
