"""Sample files whose bad rows are known, and the demo."""
