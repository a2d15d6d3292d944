"""The parrot service as a backend of modelplug."""
