/** A sound file to PCM: whatever the browser can decode, as one channel of s16 at 16 kHz. */

const RATE_HZ = 16000;

/** Returns `{pcm: Int16Array, sampleRate}`. Throws with a sentence for a file that is no sound. */
export async function readRecording(file) {
  const bytes = await file.arrayBuffer();
  let decoded;
  try {
    decoded = await new OfflineAudioContext(1, 1, RATE_HZ).decodeAudioData(bytes); // resamples too
  } catch {
    throw new Error(`${file.name} is no sound that this browser can read`);
  }
  const channels = Array.from({ length: decoded.numberOfChannels }, (_, n) => decoded.getChannelData(n));
  const pcm = Int16Array.from({ length: decoded.length }, (_, at) => {
    const sum = channels.reduce((total, samples) => total + samples[at], 0);
    return Math.max(-32768, Math.min(32767, Math.round((sum / channels.length) * 32767)));
  });
  return { pcm, sampleRate: RATE_HZ };
}
