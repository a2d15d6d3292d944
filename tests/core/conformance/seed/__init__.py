"""The client that the project began with, rebuilt with its faults: the kit has to name each."""
