// A score as a picture to pass on: a record whose label holds the number.
import { t } from "./language.js";

const SIDE = 1080; // pixels
const COLOURS = { sleeve: "#2230d0", label: "#ffd21f", ink: "#101116", paper: "#fff", groove: "#24252e" };
const DISC = { x: SIDE / 2, y: 470, radius: 370, label: 190 };

/** { title, artist, score, part, parts: [[name, score]] } → a PNG; `part`: of how much of the song. */
export async function draw({ title, artist, score, part, parts }) {
  const canvas = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE });
  const pen = canvas.getContext("2d");
  await document.fonts.load("700 100px Figtree").catch(() => {});
  pen.fillStyle = COLOURS.sleeve;
  pen.fillRect(0, 0, SIDE, SIDE);
  disc(pen);
  pen.textAlign = "center";
  write(pen, score, DISC.y + 62, 190, 700, COLOURS.ink);
  write(pen, t("judged_of"), DISC.y + 118, 36, 600, COLOURS.ink);
  write(pen, part, DISC.y - 100, 30, 600, COLOURS.ink);
  write(pen, title, 912, 56, 700, COLOURS.paper);
  write(pen, artist, 968, 36, 400, COLOURS.paper);
  write(pen, parts.map((part) => part.join(" ")).join("  ·  "), 1032, 34, 600, COLOURS.label);
  pen.textAlign = "left";
  write(pen, "Shazam Visual", 64, 30, 700, COLOURS.paper, 48);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

function disc(pen) {
  const { x, y, radius, label } = DISC;
  const round = (size, colour) => {
    pen.fillStyle = colour;
    pen.beginPath();
    pen.arc(x, y, size, 0, 7);
    pen.fill();
  };
  round(radius, COLOURS.ink);
  pen.strokeStyle = COLOURS.groove;
  pen.lineWidth = 2;
  for (let size = label + 20; size < radius - 8; size += 9) {
    pen.beginPath();
    pen.arc(x, y, size, 0, 7);
    pen.stroke();
  }
  round(label, COLOURS.label);
}

/** One line, as large as it may be and still fit. */
function write(pen, text, y, size, weight, colour, x = SIDE / 2) {
  if (!text && text !== 0) return;
  const font = (px) => `${weight} ${px}px Figtree, system-ui, sans-serif`;
  pen.font = font(size);
  const wide = pen.measureText(text).width;
  if (wide > SIDE - 120) pen.font = font(Math.max(24, (size * (SIDE - 120)) / wide));
  pen.fillStyle = colour;
  pen.fillText(text, x, y, SIDE - 120);
}
