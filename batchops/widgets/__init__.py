"""The operations console: ordinary widgets over functions that work without them."""

from batchops.core.extras import from_extra

# Once, for every module in here.
with from_extra("lab", needed_for="the operations console"):
    import ipywidgets  # noqa: F401
