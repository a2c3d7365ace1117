"""The model test runs the whole operator on a simulated AWS and a simulated cluster, with events in any order."""
