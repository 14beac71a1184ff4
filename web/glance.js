// What the camera sees, asked about while it is pointed: frames go out as fast as answers come, the
// sleeve that is followed is outlined, and the first match takes the picture. An answer that is not
// sure is believed when several frames say the same; what the picture is, identify decides.
import { glimpse, sleep } from "./api.js";
import { middle, toJpeg } from "./picture.js";
import { outlines } from "./results.js";

const SIDE = 512; // px of a frame: what one look at the service works on
const LOOKED_AT = 6; // frames
const ALIKE = 3; // of them: as good as a sure one
const PAUSE = 120; // ms: another camera frame is there by then
const REST = 2_000; // ms after no answer: the service is busy, or away
const SEEN = 350; // ms that a match is outlined before the picture is taken

/** The middle square of a video as it is now, on a canvas. */
function still(video) {
  const { x, y, side } = middle(video);
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  canvas.getContext("2d", { alpha: false }).drawImage(video, x, y, side, side, 0, 0, side, side);
  return canvas;
}

/**
 * Follow what `video` shows until `signal` is aborted: `box` holds the outline. Resolves to the frame
 * that was recognised, a canvas, or null.
 */
export async function follow(video, box, signal) {
  try {
    return await recognised(video, box, signal);
  } catch (error) {
    if (signal.aborted) return null;
    throw error;
  }
}

async function recognised(video, box, signal) {
  for (let lately = []; ; ) {
    while (document.hidden || !video.videoWidth) await sleep(PAUSE, signal);
    const frame = still(video);
    const small = await toJpeg(frame, 0, 0, frame.width, frame.height, SIDE);
    const told = small && (await glimpse(small, signal));
    signal.throwIfAborted();
    outline(video, box, told);
    lately = [...lately, (told?.album ?? told?.candidates?.[0])?.album_id].slice(-LOOKED_AT);
    if (told?.decision === "match" || agreed(lately)) {
      await sleep(SEEN, signal);
      return frame;
    }
    await sleep(told ? PAUSE : REST, signal);
  }
}

/** Whether the last frames name one album often enough. */
const agreed = (lately) => {
  const last = lately.at(-1);
  return last !== undefined && lately.filter((one) => one === last).length >= ALIKE;
};

/** The place of the sleeve over the video, which covers its box as this drawing does. */
function outline(video, box, told) {
  const quad = told?.evidence?.quad;
  box.replaceChildren();
  if (!quad) return;
  const { x: left, y: top, side } = middle(video);
  const scale = side / Math.min(SIDE, side);
  const placed = quad.map(([x, y]) => [x * scale + left, y * scale + top]);
  const svg = outlines([video.videoWidth, video.videoHeight], [placed], told.decision === "match" ? 0 : -1, () => {});
  svg.setAttribute("preserveAspectRatio", "xMidYMid slice");
  box.append(svg);
}
