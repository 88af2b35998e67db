"""The package's version, said once: pyproject.toml and the stack's outputs take it from here."""

__version__ = "0.2.0"
