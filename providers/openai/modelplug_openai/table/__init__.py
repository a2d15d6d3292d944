"""The rows, by whose services they are: ``presets`` puts them together."""
