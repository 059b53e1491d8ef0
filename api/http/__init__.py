"""Serve every resource of the HTTP door: authentication, parsing, responses, errors, pagination, limits."""
