"""The service: sockets, sessions, video and HTTP around the models."""
