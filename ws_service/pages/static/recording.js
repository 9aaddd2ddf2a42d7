/** A sound file to PCM: whatever the browser can decode, as one channel of s16 at 16 kHz. */

const RATE_HZ = 16000;
const AT_ONCE = 1 << 17; // samples; then the page may do something else

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
  const pcm = new Int16Array(decoded.length);
  for (let start = 0; start < pcm.length; start += AT_ONCE) {
    mix(channels, pcm, start, Math.min(pcm.length, start + AT_ONCE));
    await new Promise((resolve) => setTimeout(resolve));
  }
  return { pcm, sampleRate: RATE_HZ };
}

/** The channels' mean, from one sample to another. */
function mix(channels, pcm, start, end) {
  const scale = 32767 / channels.length;
  for (let at = start; at < end; at += 1) {
    let sum = 0;
    for (let n = 0; n < channels.length; n += 1) sum += channels[n][at];
    pcm[at] = Math.max(-32768, Math.min(32767, Math.round(sum * scale)));
  }
}
