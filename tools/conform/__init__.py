"""A conformance run of the `aws` target on LocalStack's core, without Docker: ``make conform``."""
