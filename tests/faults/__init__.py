"""Break what the system stands on, under load, and prove that nothing is lost, doubled or unbalanced."""
