/** @file Show the page or the form as soon as the document is there: a classic script, which waits for no module. */

{
  const name = document.currentScript.dataset.token;
  const isLink = location.hash.startsWith("#token=");
  const isKnown = sessionStorage.getItem(name) !== null || localStorage.getItem(name) !== null;
  document.getElementById(isKnown && !isLink ? "desk" : "login").hidden = false;
}
