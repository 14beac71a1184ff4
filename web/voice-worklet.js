// In the audio thread: what the microphone hears becomes { hz | null, level } 25 times a second.
import { RATE, WINDOW, levelOf, pitchOf } from "./voice-pitch.js";

const EVERY = RATE / 25;

class Pitch extends AudioWorkletProcessor {
  constructor() {
    super();
    this.step = Math.max(1, Math.round(sampleRate / RATE));
    this.window = new Float32Array(WINDOW);
    this.fresh = new Float32Array(EVERY);
    this.filled = 0;
    this.sum = 0;
    this.summed = 0;
  }

  process([[channel]]) {
    for (const value of channel ?? []) {
      this.sum += value;
      this.summed += 1;
      if (this.summed === this.step) this.take(this.sum / this.step);
    }
    return true;
  }

  /** One sample at the lower rate: the mean of those that it stands for. */
  take(value) {
    this.sum = this.summed = 0;
    this.fresh[this.filled] = value;
    this.filled += 1;
    if (this.filled < EVERY) return;
    this.filled = 0;
    this.window.copyWithin(0, EVERY);
    this.window.set(this.fresh, WINDOW - EVERY);
    this.port.postMessage({ hz: pitchOf(this.window, sampleRate / this.step), level: levelOf(this.window) });
  }
}

registerProcessor("pitch", Pitch);
