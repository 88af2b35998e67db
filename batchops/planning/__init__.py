"""What a file would come to, before it is submitted: limits, cost, time."""
