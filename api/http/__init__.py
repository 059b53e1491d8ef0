"""The parts of HTTP that every resource uses: authentication, parsing, responses, errors, pagination, limits."""
