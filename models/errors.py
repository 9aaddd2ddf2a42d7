"""Errors that models raise; the edges that call models translate them."""


class ModelError(Exception):
    """An engine or its weights cannot do what was asked."""


class AvatarError(Exception):
    """A prepared avatar on disk is missing, damaged or of another version."""


class PreparationError(Exception):
    """A photo or video cannot become an avatar. The message names the file or the frame and says what is needed."""
