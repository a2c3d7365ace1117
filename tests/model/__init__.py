"""The model test: the whole operator between a simulated AWS and a simulated cluster, in any order of events."""
