"""All logistic models that fit about as well as the best one: exact ranges of what they predict."""
