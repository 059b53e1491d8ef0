/** @file The bar at the foot of the window in which fills are announced: it covers no control, and can be cleared. */

import { byId, make } from "../../common/dom.js";

/** Put the list of fills into the bar, which stands from now on: an announcement covers and moves nothing. */
export function showFillBar() {
  const list = byId("fills");
  const dismiss = make("button", { type: "button", className: "quiet", textContent: "Dismiss", hidden: true });
  dismiss.setAttribute("aria-label", "Dismiss the fills");
  dismiss.onclick = () => list.replaceChildren();
  const bar = make("footer", { className: "fill-bar" });
  document.documentElement.classList.add("has-fill-bar");
  list.replaceWith(bar);
  bar.append(list, dismiss);
  new MutationObserver(() => (dismiss.hidden = list.children.length === 0)).observe(list, { childList: true });
}
