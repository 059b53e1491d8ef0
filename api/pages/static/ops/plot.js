/** @file Orders placed and executed in each second of the last minute. */

const HEIGHT = 224;
const { uPlot } = globalThis;

/** A plot with two lines; it is redrawn when the width or the colour scheme changes. */
export class ThroughputPlot {
  constructor(holder) {
    Object.assign(this, { holder, plot: null, data: [[], [], []] });
    new ResizeObserver(() => this.draw()).observe(holder);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.plot?.destroy();
      this.plot = null;
      this.draw();
    });
  }

  /** Show these seconds. */
  show(seconds) {
    this.data = [
      seconds.map((second) => Date.parse(second.at) / 1000),
      seconds.map((second) => second.placed),
      seconds.map((second) => second.executed),
    ];
    this.draw();
  }

  draw() {
    const width = this.holder.clientWidth;
    this.holder.classList.toggle("is-empty", this.data[0].length === 0);
    if (width === 0 || this.data[0].length === 0) return;
    if (!this.plot) this.plot = new uPlot(options(width), this.data, this.holder);
    else {
      if (this.plot.width !== width) this.plot.setSize({ width, height: HEIGHT });
      this.plot.setData(this.data);
    }
  }
}

function options(width) {
  const colours = getComputedStyle(document.documentElement);
  const colour = (name) => colours.getPropertyValue(name).trim();
  const axis = { stroke: colour("--muted"), font: "11px Inter, system-ui, sans-serif", ticks: { show: false } };
  const line = (name) => ({ stroke: colour(name), width: 1.5, points: { show: false } });
  return {
    width,
    height: HEIGHT,
    padding: [8, 28, 0, 0],
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, y: false, points: { size: 6 } },
    scales: { y: { range: (_, __, high) => [0, Math.max(1, high) * 1.1] } },
    axes: [
      { ...axis, size: 24, space: 60, grid: { show: false }, values: (_, ticks) => ticks.map(clock) },
      { ...axis, size: 48, space: 28, grid: { stroke: colour("--line"), width: 1 }, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000] },
    ],
    series: [{}, line("--buy"), line("--gain")],
  };
}

function clock(tick) {
  return new Date(tick * 1000).toTimeString().slice(0, 8);
}
