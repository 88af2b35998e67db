"""The operations console: ordinary widgets over functions that work without them."""
