"""Errors that models raise; the edges that call models translate them."""


class ModelError(Exception):
    """An engine or its weights cannot do what was asked."""


class EngineFailure(ModelError):
    """There is no engine now, or it failed in an unexpected way: nothing is said of what it was given."""


class EngineLost(EngineFailure):
    """The device an engine computes on is gone for good (a lost CUDA context, say); only a new process gets it back."""


class AvatarError(Exception):
    """A prepared avatar on disk is missing, damaged or of another version."""


class PreparationError(Exception):
    """A photo or video cannot become an avatar. The message names the file or the frame and says what is needed."""
