"""Parts of the cost-of-pass: frontiers and drop-one, bootstrap, progress over time, techniques, words."""
