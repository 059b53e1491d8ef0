"""Random walks through the door for Kite's clients, beside the first door."""

import pytest

pytest.register_assert_rewrite("tests.kite_walks.views", "tests.kite_walks.walk")
