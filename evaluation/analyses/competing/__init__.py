"""Parts of the multiplicity report: labels, probabilities, capacity."""
