"""The parts of a Swiss-system tournament: round scores, plan of seats, simulation, exact answer, crosstable."""
