/** @file Requests to the API. A refusal throws Problem; no answer, or one that is not JSON, throws Silence. */

import * as session from "./session.js";

const TIMEOUT = 10_000;

/** The largest number of rows on a page of a list. */
export const MAX_PAGE = 200;

/** A refusal by the API; `document` is the problem document. */
export class Problem extends Error {
  constructor(status, document) {
    super(document.detail ?? `The answer was ${status}.`);
    this.status = status;
    this.document = document;
    this.code = document.code ?? "unknown";
    this.errors = document.errors ?? {};
  }
}

/** No answer: it is unknown if the server has served the request. */
export class Silence extends Error {}

/** Send a request and return the JSON of the answer, or null if the answer is empty. */
export async function send(method, path, options = {}) {
  return (await exchange(method, path, options)).document;
}

/** Send a request and return `{ document, etag }`: the JSON of the answer and its ETag, or null in place of each. */
export async function exchange(method, path, { body, headers = {}, signal, token = session.token() } = {}) {
  const sent = { Authorization: `Bearer ${token}`, ...headers };
  if (body !== undefined) sent["Content-Type"] = "application/json";
  const signals = [AbortSignal.timeout(TIMEOUT), ...(signal ? [signal] : [])];
  let response;
  try {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const options = { method, headers: sent, body: text, signal: AbortSignal.any(signals) };
    response = await (firstAnswer(method, path, token) ?? fetch(path, options));
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Silence("The server does not answer.");
  }
  return { document: await read(response), etag: response.headers.get("ETag") };
}

/** Send a GET with query parameters; those that are null are left out. */
export function get(path, query = {}, options = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined);
  const text = new URLSearchParams(given).toString();
  return send("GET", text ? `${path}?${text}` : path, options);
}

/** Return the rows of all pages of a list; `progress` is told their number so far, and the signal ends the reading. */
export async function getAll(path, { query = {}, progress = () => {}, signal } = {}) {
  const rows = [];
  let cursor = null;
  do {
    const page = await get(path, { ...query, limit: MAX_PAGE, cursor }, { signal });
    rows.push(...page.data);
    cursor = page.nextCursor;
    progress(rows.length);
  } while (cursor !== null);
  return rows;
}

/** Return the answer to a request that first.js has sent, once. */
function firstAnswer(method, path, token) {
  const first = globalThis.first;
  if (method !== "GET" || token !== first?.token || !first.answers.has(path)) return null;
  const answer = first.answers.get(path);
  first.answers.delete(path);
  return answer;
}

async function read(response) {
  let document = null;
  try {
    document = response.status === 204 ? null : await response.json();
  } catch {
    if (response.ok) throw new Silence("The answer cannot be read.");
  }
  if (!response.ok) throw new Problem(response.status, document ?? {});
  return document;
}
