"""Searching for the best contender within a budget: who is asked next, and when to stop."""
