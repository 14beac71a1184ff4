// The camera inside the page, where the browser gives one to it. It does so on https and
// localhost alone; elsewhere app.js opens the phone's own camera by <input capture>.
import { t } from "./language.js";
import { middle, toJpeg } from "./picture.js";

const $ = (id) => document.getElementById(id);
const video = $("video");
const dialog = $("camera");
const release = $("release");
const trouble = $("camera-trouble");
const torch = $("torch");
const turn = $("turn");
const sight = $("sight");
let stream = null;
let wanted = 0; // counts what was asked of the browser: only the last is shown, the rest is let go
let facing = "environment";
let watching = new AbortController(); // what is seen while the camera is pointed
let take = () => {};

export const live = () => Boolean(navigator.mediaDevices?.getUserMedia);

function stop() {
  wanted += 1;
  watching.abort();
  sight.replaceChildren();
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = null;
  video.srcObject = null;
  release.disabled = true;
  torch.hidden = turn.hidden = true;
}

async function start() {
  trouble.hidden = true;
  const mine = (wanted += 1);
  try {
    const got = await navigator.mediaDevices.getUserMedia({
      video: { facingMode: { ideal: facing }, width: { ideal: 1920 }, height: { ideal: 1920 } },
    });
    // Closed, or turned, while the browser asked for permission.
    if (mine !== wanted) return got.getTracks().forEach((track) => track.stop());
    stream = got;
    video.srcObject = got;
    await video.play();
    release.disabled = false;
    release.focus();
    await equip(got.getVideoTracks()[0]);
    if (mine === wanted) watch();
  } catch (error) {
    if (mine !== wanted) return;
    trouble.textContent = t(error.name === "NotAllowedError" ? "camera_refused" : "camera_missing");
    trouble.hidden = false;
  }
}

/** The picture takes itself when the service knows the sleeve; without an answer it is as ever. */
async function watch() {
  watching = new AbortController();
  const { signal } = watching;
  const { follow } = await import("./glance.js");
  const frame = await follow(video, sight, signal);
  if (frame) await shoot(frame, { x: 0, y: 0, side: frame.width });
}

async function shoot(source, { x, y, side }) {
  release.disabled = true; // a second tap is no second photo
  const blob = await toJpeg(source, x, y, side, side);
  if (!dialog.open) return;
  dialog.close();
  if (blob) take(blob);
}

/** A torch where the camera has one, and a way to the other camera where there are several. */
async function equip(track) {
  torch.hidden = !track.getCapabilities?.().torch;
  torch.setAttribute("aria-pressed", "false");
  const devices = await navigator.mediaDevices.enumerateDevices();
  turn.hidden = devices.filter((device) => device.kind === "videoinput").length < 2;
}

async function switchTorch() {
  const on = torch.getAttribute("aria-pressed") !== "true";
  try {
    await stream.getVideoTracks()[0].applyConstraints({ advanced: [{ torch: on }] });
    torch.setAttribute("aria-pressed", String(on));
  } catch {
    torch.hidden = true; // it said it had one
  }
}

/** Calls `taken(blob)` with the square that the finder shows; `choose()` for a file instead. */
export function setUp(taken, choose) {
  take = taken;
  dialog.addEventListener("close", stop);
  torch.addEventListener("click", switchTorch);
  turn.addEventListener("click", () => {
    facing = facing === "environment" ? "user" : "environment";
    stop();
    start();
  });
  $("camera-close").addEventListener("click", () => dialog.close());
  $("camera-file").addEventListener("click", () => {
    dialog.close();
    choose();
  });
  release.addEventListener("click", () => {
    watching.abort();
    shoot(video, middle(video));
  });
}

export function open() {
  dialog.showModal();
  start();
}
