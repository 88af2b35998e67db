"""A discrete-event simulation of a job: every chunk, every limit that it can meet.

It plays the model that plans are computed from, `batchops.planning.job_model`. `local` makes such a
model of the local engine from one job, where the prediction is compared with what happens.
"""
