// What note is sung, from 64 ms of it: YIN (de Cheveigné and Kawahara, 2002) on 16 kHz. Runs in the
// browser's audio thread, see voice-worklet.js.
const LOWEST_HZ = 65; // C2, a bass
const HIGHEST_HZ = 1100; // C6, a soprano
const CLEAR = 0.15; // of the normalised difference: the first dip below it is the period
const UNSURE = 0.3; // above it nothing is sung, or more than one
const QUIET = 0.004; // of full scale, root mean square

export const RATE = 16_000; // Hz, about: a device's rate is divided by a whole number
export const WINDOW = 1024; // samples

/** MIDI number of a frequency: 69 is 440 Hz, 1 is 100 cents. */
export const midiOf = (hz) => 69 + 12 * Math.log2(hz / 440);

export const levelOf = (samples) => Math.sqrt(samples.reduce((sum, value) => sum + value * value, 0) / samples.length);

/** `WINDOW` samples (-1–1) at `rate` Hz → Hz, or null where no single note is sung. */
export function pitchOf(samples, rate) {
  if (levelOf(samples) < QUIET) return null;
  const [shortest, longest] = [Math.floor(rate / HIGHEST_HZ), Math.ceil(rate / LOWEST_HZ)];
  const unlike = differences(samples, longest);
  let lag = unlike.findIndex((value, at) => at >= shortest && at <= longest && value < CLEAR);
  if (lag < 0) lag = least(unlike, shortest, longest);
  while (lag < longest && unlike[lag + 1] < unlike[lag]) lag += 1;
  return unlike[lag] > UNSURE ? null : rate / vertex(unlike, lag);
}

function least(values, from, to) {
  let best = from;
  for (let at = from; at <= to; at += 1) if (values[at] < values[best]) best = at;
  return best;
}

/** How unlike itself the sound is, each lag later; normalised, so that 1 says nothing. */
function differences(samples, longest) {
  const width = samples.length - longest - 1;
  const unlike = new Array(longest + 2).fill(1);
  let sum = 0;
  for (let lag = 1; lag <= longest + 1; lag += 1) {
    let difference = 0;
    for (let at = 0; at < width; at += 1) difference += (samples[at] - samples[at + lag]) ** 2;
    sum += difference;
    unlike[lag] = sum ? (difference * lag) / sum : 1;
  }
  return unlike;
}

/** Between samples: where a parabola through a dip and its neighbours is lowest. */
function vertex(values, at) {
  const [left, middle, right] = [values[at - 1], values[at], values[at + 1]];
  const bend = left - 2 * middle + right;
  return bend > 0 ? at + (left - right) / (2 * bend) : at;
}
