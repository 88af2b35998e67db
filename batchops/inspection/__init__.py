"""Find out what is wrong: with the set-up, a function, a job."""
