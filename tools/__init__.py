"""What only developers of this project run; nothing here is installed with it."""
