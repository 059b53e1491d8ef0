/** @file Load uPlot when the first plot comes into view, so that the desk opens without it. */

import { make } from "../../common/dom.js";

const SOURCE = "/static/vendor/uplot/uPlot.iife.min.js";

let loading = null;

/** Return a promise of uPlot, which is a classic script and not a module. */
export function loadUPlot() {
  loading ??= globalThis.uPlot ? Promise.resolve(globalThis.uPlot) : read();
  return loading;
}

function read() {
  return new Promise((resolve, reject) => {
    const script = make("script", { src: SOURCE });
    script.onload = () => resolve(globalThis.uPlot);
    script.onerror = () => {
      loading = null;
      script.remove();
      reject(new Error("uPlot could not be loaded"));
    };
    document.head.append(script);
  });
}

/** Call `action` once, when an element comes into view. */
export function whenSeen(element, action) {
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    action();
  });
  observer.observe(element);
}
