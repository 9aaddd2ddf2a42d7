"""A client for the wire: library, command line, load generator, report."""
