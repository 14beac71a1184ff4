// The notes of the song and those of the voice, over time, as in a piano roll: drawn on a canvas.
const AHEAD_S = 5;
const BEHIND_S = 3;
const ROOM = 3; // semitones above and below the song's notes
const LEAST = 14; // semitones that are shown
const UNKNOWN = [45, 72]; // where nobody knows the song's notes: A2–C5
const GAP_S = 0.25; // a line ends where nothing was sung for so long
const LEAP = 7; // semitones: nobody slides so far, it is an octave misread or a new note
const HELD = 3; // points, a tenth of a second each
const SELDOM = 0.01; // of all notes: so many may lie outside, at either end
const CLOSE = 0.5; // semitones: on the note
const COLOURS = { lane: "#24252e", song: "#7c7f95", near: "#ffd21f", far: "#fff", now: "#fff" };

/** Lowest and highest note that is shown, for [[s, midi | null]]: of notes that are held. A frame by
 * itself is a tracker's mistake as often as a note, and one of them would set the scale of all. */
export function rangeOf(curve) {
  const notes = held(curve ?? []).sort((a, b) => a - b);
  if (!notes.length) return UNKNOWN;
  const at = (part) => notes[Math.round(part * (notes.length - 1))];
  const [low, high] = [at(SELDOM) - ROOM, at(1 - SELDOM) + ROOM];
  const more = Math.max(0, LEAST - (high - low)) / 2;
  return [low - more, high + more];
}

/** The notes of all stretches of HELD points or more that no leap or silence parts. */
function held(curve) {
  const kept = [];
  let stretch = [];
  for (const [, midi] of [...curve, [0, null]]) {
    const before = stretch.at(-1);
    if (midi === null || (before !== undefined && Math.abs(midi - before) >= LEAP)) {
      if (stretch.length >= HELD) kept.push(...stretch);
      stretch = [];
    }
    if (midi !== null) stretch.push(midi);
  }
  return kept;
}

/** The song's note then, or null. */
export function noteAt(curve, at) {
  if (!curve?.length) return null;
  let [from, to] = [0, curve.length - 1];
  while (from < to) {
    const middle = (from + to + 1) >> 1;
    if (curve[middle][0] <= at) from = middle;
    else to = middle - 1;
  }
  const [time, midi] = curve[from];
  return Math.abs(time - at) < GAP_S ? midi : null;
}

/** How many octaves the voice lies from the song for most of the time: a man may sing a woman's song. */
export class Octaves {
  counts = new Map();

  add(song, voice) {
    if (song === null || voice === null) return;
    const octaves = Math.round((song - voice) / 12);
    this.counts.set(octaves, (this.counts.get(octaves) ?? 0) + 1);
  }

  get most() {
    return [...this.counts].reduce((best, one) => (one[1] > best[1] ? one : best), [0, 0])[0];
  }
}

/**
 * Draws `curve` and `trace` ([[s, midi | null]]) around second `at`. With `still` the picture stands
 * and the moment moves through it, a page at a time.
 */
export function drawRoll(canvas, { curve, trace, octaves, at, range, still }) {
  const [width, height] = [canvas.clientWidth * devicePixelRatio, canvas.clientHeight * devicePixelRatio];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const pen = canvas.getContext("2d");
  const long = AHEAD_S + BEHIND_S;
  const from = still ? Math.floor(at / long) * long : at - BEHIND_S;
  const [low, high] = range;
  const x = (time) => ((time - from) / long) * width;
  const y = (midi) => height * (1 - (midi - low) / (high - low));
  const note = height / (high - low);
  pen.clearRect(0, 0, width, height);
  pen.fillStyle = COLOURS.lane;
  for (let midi = Math.ceil(low); midi <= high; midi += 1) if (midi % 2) pen.fillRect(0, y(midi + 0.5), width, note);
  pen.lineCap = pen.lineJoin = "round";
  const shown = (points) => points.filter(([time]) => time > from - 1 && time < from + long + 1);
  pen.lineWidth = Math.max(6 * devicePixelRatio, note * 0.9);
  lines(pen, shown(curve ?? []), x, y, () => COLOURS.song);
  pen.lineWidth = 4 * devicePixelRatio;
  const sung = shown(trace).map(([time, midi]) => [time, midi === null ? null : midi + 12 * octaves]);
  lines(pen, sung, x, y, ([time, midi]) => (near(curve, time, midi) ? COLOURS.near : COLOURS.far));
  pen.fillStyle = COLOURS.now;
  pen.fillRect(x(at), 0, 2 * devicePixelRatio, height);
  const now = sung.at(-1);
  if (now && now[1] !== null) dot(pen, x(at), y(now[1]), near(curve, ...now) ? COLOURS.near : COLOURS.far);
}

function near(curve, time, midi) {
  const song = noteAt(curve, time);
  return song !== null && Math.abs(song - midi) <= CLOSE;
}

function dot(pen, x, y, colour) {
  pen.fillStyle = colour;
  pen.beginPath();
  pen.arc(x, y, 8 * devicePixelRatio, 0, 7);
  pen.fill();
}

/** A line through what belongs together, each piece in the colour of where it ends. */
function lines(pen, points, x, y, colour) {
  points.forEach((point, place) => {
    const before = points[place - 1] ?? point;
    if (point[1] === null) return;
    const near = before[1] !== null && point[0] - before[0] < GAP_S && Math.abs(point[1] - before[1]) < LEAP;
    const joined = near ? before : point;
    pen.strokeStyle = colour(point);
    pen.beginPath();
    pen.moveTo(x(joined[0]), y(joined[1]));
    pen.lineTo(x(point[0]), y(point[1]));
    pen.stroke();
  });
}
