/** What this browser lets this page do, in sentences for the person before it. */

const BASELINE = 'video/mp4; codecs="avc1.42C01E"';
const HTTPS =
  "Open the page by https or on localhost: the service serves https when SSL_CERTFILE and SSL_KEYFILE name a certificate.";

export const NOTHING_PLAYS = isSecureContext
  ? "This browser can play the avatar neither by WebCodecs (VideoDecoder) nor by MediaSource with H.264. Chrome, Edge, Safari 16.4 and Firefox 130, or later ones, can."
  : `This browser gives WebCodecs (VideoDecoder) to https pages only, and cannot play H.264 by MediaSource either. ${HTTPS}`;

export const NO_MICROPHONE = isSecureContext
  ? "This browser gives no microphone (mediaDevices.getUserMedia)"
  : `Browsers give the microphone (getUserMedia, AudioWorklet) to https pages and to localhost only. ${HTTPS}`;

/** Whether there is something to decode the avatar's video with. */
export function canPlay({ withoutWebCodecs = false } = {}) {
  if ("VideoDecoder" in globalThis && !withoutWebCodecs) return true;
  const source = globalThis.MediaSource ?? globalThis.ManagedMediaSource;
  return "requestVideoFrameCallback" in HTMLVideoElement.prototype && Boolean(source?.isTypeSupported(BASELINE));
}

/** What does not work on this page for want of https, as a sentence; empty where all is well. */
export function limits() {
  if (isSecureContext) return "";
  return `This page came by http, from another machine: browsers give it no WebCodecs (the avatar plays by MediaSource, a little later) and no microphone. ${HTTPS}`;
}
