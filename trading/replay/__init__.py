"""Replays: quotes and orders of files run through the product's own functions by a virtual clock."""
