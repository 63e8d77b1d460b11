"""Results that were made elsewhere, read as streams: bounded, strict, and never executed."""
