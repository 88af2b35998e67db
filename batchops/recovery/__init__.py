"""Rerun, repair and stop jobs."""
