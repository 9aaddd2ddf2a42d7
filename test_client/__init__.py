"""A client for the wire: library, command line, load generator, report. `test_client.client` is where to begin."""
