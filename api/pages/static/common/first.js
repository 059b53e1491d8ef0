/** @file Show the page or the form before any module has come, and send the page's first requests: a classic script. */

{
  const { token: name, requests } = document.currentScript.dataset;
  const linked = /^#token=(.+)$/.exec(location.hash)?.[1];
  const decoded = (text) => {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  };
  const token = linked ? decoded(linked) : (sessionStorage.getItem(name) ?? localStorage.getItem(name));
  document.getElementById(token === null ? "login" : "desk").hidden = false;
  if (token !== null && requests) {
    const options = { headers: { Authorization: `Bearer ${token}` }, signal: AbortSignal.timeout(10_000) };
    const answers = new Map(requests.split(/\s+/).map((path) => [path, fetch(path, options)]));
    for (const answer of answers.values()) answer.catch(() => {});
    // common/http.js uses these answers when it is asked for the same.
    globalThis.first = { token, answers };
  }
}
