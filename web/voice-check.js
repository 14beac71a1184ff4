// Whether the microphone hears what is played: two tones in a pattern, looked for in what it hears.
import { sleep } from "./api.js";

const HZ = [1900, 1500]; // any loudspeaker can play them, few voices stay on them
const LOUD = 0.15;
const PATTERN = [1, 0, 1, 1, 0, 0, 1, 0]; // which of the two
const SLOT_S = 0.2;
const LATEST_S = 0.5; // from the page to the loudspeaker, and back
const EVERY_MS = 15;
const MOST_MS = 6000; // an audio device that stands still
const WIDTH = 2048; // samples of one look
const CONTRAST_DB = 10; // between the slots of one tone and those of the other, in each of them
const SEEN = 6; // slots, at least: a busy machine misses some
const AUDIBLE_DB = -75;
const SILENCE_DB = -100;

/** Plays the tones; `heard` is an AudioNode of the microphone → whether it hears them. */
export async function hearsTones(heard, signal) {
  const { context } = heard;
  const look = new AnalyserNode(context, { fftSize: WIDTH, smoothingTimeConstant: 0 });
  heard.connect(look);
  const begin = play(context);
  const end = begin + PATTERN.length * SLOT_S + LATEST_S;
  const limit = performance.now() + MOST_MS;
  const seen = [];
  try {
    while (context.currentTime < end && performance.now() < limit) {
      seen.push([context.currentTime - begin, levelsAt(look)]);
      await sleep(EVERY_MS, signal);
    }
  } finally {
    heard.disconnect(look);
  }
  return follows(seen, WIDTH / context.sampleRate);
}

function play(context) {
  const begin = context.currentTime + 0.1;
  const end = begin + PATTERN.length * SLOT_S;
  const gain = new GainNode(context, { gain: 0 });
  const tone = new OscillatorNode(context);
  tone.connect(gain).connect(context.destination);
  PATTERN.forEach((which, slot) => tone.frequency.setValueAtTime(HZ[which], begin + slot * SLOT_S));
  gain.gain.setTargetAtTime(LOUD, begin, 0.004); // or it would click
  gain.gain.setTargetAtTime(0, end - 0.03, 0.004);
  tone.start(begin);
  tone.stop(end);
  return begin;
}

/** dB of either tone, as it is heard now. */
function levelsAt(look) {
  const bins = new Float32Array(look.frequencyBinCount);
  look.getFloatFrequencyData(bins);
  const bin = (hz) => Math.round((hz * WIDTH) / look.context.sampleRate);
  return HZ.map((hz) => Math.max(SILENCE_DB, ...bins.slice(bin(hz) - 1, bin(hz) + 2)));
}

/** [[s, [dB, dB]]] of looks `width` s long → whether they change as the tones do, however late. */
export function follows(seen, width) {
  for (let late = 0; late <= LATEST_S; late += 0.02) if (together(seen.map(([at, levels]) => [at - late, levels]), width)) return true;
  return false;
}

/** In every slot its own tone is the louder one, clearly, and loud enough: no voice does that. */
function together(seen, width) {
  const slots = PATTERN.map((which, slot) => [which, seen.filter(([at]) => Math.floor(at / SLOT_S) === slot && at % SLOT_S > width)]).filter(([, looks]) => looks.length);
  if (slots.length < SEEN) return false;
  const own = slots.map(([which, looks]) => mean(looks.map(([, levels]) => levels[which])));
  const balance = (wanted) => slots.filter(([which]) => which === wanted).map(([, looks]) => mean(looks.map(([, [one, other]]) => other - one)));
  return Math.min(...own) > AUDIBLE_DB && Math.min(...balance(1)) - Math.max(...balance(0)) > CONTRAST_DB;
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
