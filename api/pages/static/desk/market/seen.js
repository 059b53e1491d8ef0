/** @file Wait with a plot, and with its library, until the plot comes into view. */

/** Call `action` once, when an element comes into view. */
export function whenSeen(element, action) {
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    action();
  });
  observer.observe(element);
}
