"""Client PCM -> exact 16 kHz samples -> the window one frame sees."""
