"""Prepared avatars: on disk and in memory."""
