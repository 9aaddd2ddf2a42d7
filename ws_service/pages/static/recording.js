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
  const pcm = new Int16Array(decoded.length);
  for (let channel = 0; channel < decoded.numberOfChannels; channel += 1) {
    const samples = decoded.getChannelData(channel);
    for (let at = 0; at < pcm.length; at += 1) pcm[at] += toS16(samples[at] / decoded.numberOfChannels);
  }
  return { pcm, sampleRate: RATE_HZ };
}

function toS16(sample) {
  return Math.max(-32768, Math.min(32767, Math.round(sample * 32767)));
}
