"""Plan a file before it is submitted: rejected rows, limits, cost and time; then submit it."""
