"""What knows AWS and the ledger, and nothing of who uses it."""
