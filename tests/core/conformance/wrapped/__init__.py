"""Plugins whose clients have every policy around them: the kit is to see no difference."""
