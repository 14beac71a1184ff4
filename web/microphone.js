// A microphone as it is, without what phones do to make speech clear, and what it records.
// Chrome and Firefox record the first, Safari the second.
const KINDS = ["audio/webm;codecs=opus", "audio/mp4", "audio/ogg;codecs=opus", "audio/webm"];
const PLAIN = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };

/** Why there is none: `key` is of a sentence. */
export class NoMicrophone extends Error {
  constructor(key) {
    super(key);
    this.key = key;
    this.values = { address: location.origin };
  }
}

/** Asks for it → its stream. Throws NoMicrophone. */
export async function openMicrophone() {
  if (!navigator.mediaDevices?.getUserMedia) throw new NoMicrophone(isSecureContext ? "ear_old" : "ear_insecure");
  if (!window.MediaRecorder) throw new NoMicrophone("ear_old");
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: PLAIN });
  } catch (error) {
    throw new NoMicrophone(error.name === "NotAllowedError" || error.name === "SecurityError" ? "ear_refused" : "ear_missing");
  }
}

/** Records until it is ended: `begun` when it does, `clip()` is all of it until now, `end()` all of it. */
export function record(stream, { bits = 64_000, name = "clip" } = {}) {
  const mimeType = KINDS.find((kind) => MediaRecorder.isTypeSupported(kind));
  const recorder = new MediaRecorder(stream, mimeType ? { mimeType, audioBitsPerSecond: bits } : {});
  const parts = [];
  const happens = (event) => new Promise((done) => recorder.addEventListener(event, done, { once: true }));
  const [begun, ended] = [happens("start"), happens("stop")];
  recorder.addEventListener("dataavailable", ({ data }) => data.size && parts.push(data));
  recorder.start(250);
  const type = (mimeType ?? recorder.mimeType).split(";")[0];
  const clip = () => ({ blob: new Blob(parts, { type }), name: `${name}.${type.split("/")[1]}` });
  const end = async () => {
    if (recorder.state !== "inactive") recorder.stop();
    await ended;
    return clip();
  };
  return { begun, clip, end };
}
