"""The stream's fixed numbers: one video frame is 40 ms is 640 samples. Owns no behaviour; imports nothing."""

FPS = 25
FRAME_MS = 40
SAMPLE_RATE_HZ = 16_000
FRAME_SAMPLES = SAMPLE_RATE_HZ * FRAME_MS // 1000  # 640
FRAME_BYTES = 2 * FRAME_SAMPLES  # s16le mono
GOP_FRAMES = 25  # an IDR picture at least once a second

MIN_SAMPLE_RATE_HZ = 8_000
MAX_SAMPLE_RATE_HZ = 48_000
MAX_CHUNK_BYTES = 2 * 1024 * 1024  # of PCM in one message, after base64

RESOLUTION = "512x512"
USER_ID_PATTERN = r"^[A-Za-z0-9_-]{1,64}$"
SOCKET_PATH = "/musetalk/v1/ws/{user_id}"
BINARY_SUBPROTOCOL = "musetalk.v1.binary"
