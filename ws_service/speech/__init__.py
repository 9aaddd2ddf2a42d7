"""Text to speech: sentences in, PCM out, by a voice in this process or on a server."""
