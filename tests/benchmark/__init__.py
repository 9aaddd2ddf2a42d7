"""`make bench`: the figures that the service promises, measured through the real server with the test client."""
