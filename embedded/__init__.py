"""Real PostgreSQL and Valkey servers from wheels, for development and tests only."""
