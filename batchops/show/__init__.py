"""Show a job: progress, workflow graph, plots."""
