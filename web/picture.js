// Large photos become small ones before they travel: 12 MP from a phone is 4 MB, of which the
// encoder sees a few hundred pixels.

const SIDE = 1024; // px; leaves the proof of `identify` more detail than the encoder needs
const QUALITY = 0.85;
const SMALL = 256 * 1024; // bytes; below this, and within SIDE, the file goes as it is
const MOST = 25; // MB; the service says its own, lower limit itself

export class TooLarge extends Error {
  constructor(file) {
    super("too large");
    this.values = { name: file.name ?? "", n: MOST };
  }
}

async function decode(file) {
  try {
    // from-image: the camera's EXIF rotation is applied here, since a canvas drops the tag.
    return await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    return null; // HEIC in most browsers, or no picture at all: the service decides
  }
}

/** A canvas or video frame → JPEG of at most `side` pixels; the part (x, y, width, height) in source pixels. */
export function toJpeg(source, x, y, width, height, side = SIDE) {
  const scale = Math.min(1, side / Math.max(width, height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const pen = canvas.getContext("2d", { alpha: false });
  pen.fillStyle = "#fff"; // JPEG has no transparency; the default would be black
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(source, x, y, width, height, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, "image/jpeg", QUALITY));
}

/** The middle square of a video, in its own pixels. */
export function middle({ videoWidth: width, videoHeight: height }) {
  const side = Math.min(width, height);
  return { x: (width - side) / 2, y: (height - side) / 2, side };
}

/** A chosen file → what to send, and whether this browser can show it. */
export async function prepare(file) {
  const bitmap = await decode(file);
  if (!bitmap) {
    if (file.size > MOST * 2 ** 20) throw new TooLarge(file);
    return { blob: file, shown: false };
  }
  const { width, height } = bitmap;
  try {
    if (file.size <= SMALL && Math.max(width, height) <= SIDE) return { blob: file, shown: true };
    return { blob: (await toJpeg(bitmap, 0, 0, width, height)) ?? file, shown: true };
  } finally {
    bitmap.close();
  }
}

const HEARD = /\.(aac|aiff?|amr|caf|flac|m4a|mka|mkv|mov|mp3|mp4|oga|ogg|opus|wav|webm|wma)$/i;

/** Whether a file is one to listen to: of a video, its sound. */
export const isRecording = (file) =>
  /^(audio|video)\//.test(file.type) || (!file.type.startsWith("image/") && HEARD.test(file.name ?? ""));

/** The picture among things dropped or pasted; any file, if none says it is one. */
export function pictureIn(transfer) {
  const files = [...(transfer?.files ?? [])];
  return files.find((file) => file.type.startsWith("image/")) ?? files[0] ?? null;
}
