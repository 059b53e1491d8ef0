"""The shapes of Kite Connect's answers, and its words for the terms of this service."""
