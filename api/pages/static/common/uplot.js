/** @file The plotting library, which is a classic script: loaded with its style when a plot is needed. */

const FOLDER = "../vendor/uplot/";

/** The library. */
export const uPlot = globalThis.uPlot ?? (await load());

async function load() {
  const at = (name) => new URL(FOLDER + name, import.meta.url).href;
  const script = Object.assign(document.createElement("script"), { src: at("uPlot.iife.min.js") });
  const style = Object.assign(document.createElement("link"), { rel: "stylesheet", href: at("uPlot.min.css") });
  const loaded = new Promise((resolve, reject) => Object.assign(script, { onload: resolve, onerror: reject }));
  document.head.append(style, script);
  await loaded;
  return globalThis.uPlot;
}
