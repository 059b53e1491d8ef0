/** @file A short tone for each fill, for those who want it; the choice is kept in this browser. */

const STORED = "tradepost.sound";
const LENGTH = 0.16;
const PITCHES = { BUY: [660, 880], SELL: [880, 660] };

/** Tones that are off until the checkbox switches them on. */
export class Sound {
  #context = null;

  constructor(checkbox) {
    this.checkbox = checkbox;
    checkbox.checked = localStorage.getItem(STORED) === "on";
    checkbox.addEventListener("change", () => {
      localStorage.setItem(STORED, checkbox.checked ? "on" : "off");
      if (checkbox.checked) this.play("BUY");
    });
    // A browser plays nothing before the person has touched the page.
    addEventListener("pointerdown", () => this.#wake(), { once: true });
    addEventListener("keydown", () => this.#wake(), { once: true });
  }

  /** Play two tones: upward for a purchase, downward for a sale. */
  play(side) {
    if (!this.checkbox.checked) return;
    const context = this.#wake();
    PITCHES[side].forEach((pitch, index) => tone(context, pitch, context.currentTime + index * LENGTH));
  }

  #wake() {
    if (!this.checkbox.checked) return null;
    this.#context ??= new AudioContext();
    if (this.#context.state === "suspended") this.#context.resume().catch(() => {});
    return this.#context;
  }
}

function tone(context, pitch, start) {
  const oscillator = context.createOscillator();
  const volume = context.createGain();
  oscillator.frequency.value = pitch;
  volume.gain.setValueAtTime(0.0001, start);
  volume.gain.exponentialRampToValueAtTime(0.12, start + 0.02);
  volume.gain.exponentialRampToValueAtTime(0.0001, start + LENGTH);
  oscillator.connect(volume).connect(context.destination);
  oscillator.start(start);
  oscillator.stop(start + LENGTH);
}
