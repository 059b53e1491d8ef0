/** @file Show the page or the form before any module has come, and send the page's first requests: a classic script. */

{
  const { token: name, requests } = document.currentScript.dataset;
  const token = sessionStorage.getItem(name) ?? localStorage.getItem(name);
  const isSignedIn = token !== null && !location.hash.startsWith("#token=");
  document.getElementById(isSignedIn ? "desk" : "login").hidden = false;
  if (isSignedIn && requests) {
    const options = { headers: { Authorization: `Bearer ${token}` }, signal: AbortSignal.timeout(10_000) };
    // common/http.js uses these answers when it is asked for the same.
    globalThis.firstAnswers = new Map(requests.split(/\s+/).map((path) => [path, fetch(path, options)]));
    for (const answer of globalThis.firstAnswers.values()) answer.catch(() => {});
  }
}
