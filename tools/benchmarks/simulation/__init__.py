"""A discrete-event simulation of a job: every chunk, every limit that it can meet.

`model` and `job` know neither AWS nor the local engine; `aws` has the limits and times of the one,
`local` those of the other, where the prediction is held against what happens.
"""
