// The service of the device that serves this page (docs/edge-service.md).
import { Problem } from "../api.js";

let token = null; // where the service asks for one; it is kept until the page is closed, and written nowhere

export const holdToken = (given) => (token = given);

async function ask(path, options = {}) {
  const headers = { ...options.headers, ...(token && { Authorization: `Bearer ${token}` }) };
  const answer = await fetch(path, { ...options, headers }).catch(() => {
    throw new Problem(0, "away", "");
  });
  if (answer.ok) return answer;
  const { type = "", detail = answer.statusText } = await answer.json().catch(() => ({}));
  throw new Problem(answer.status, type.split("/").pop(), detail);
}

/** What reads on this device now. The service makes the twin for browsers of whatever model it has. */
export const release = async () => ({ ...(await (await ask("/release")).json()), browser: true });

/** The twin for browsers, if the device has not taken up another release meanwhile. */
export async function fetchModel(of) {
  const answer = await ask("/release/browser.tflite");
  if (answer.headers.get("Handfed-Release") !== String(of.release ?? "")) location.reload();
  return answer.arrayBuffer();
}

/** Keeps a correction in the device's store. */
export async function keep({ picture, read, correct }) {
  const said = { picture: await base64Of(picture), read, correct, by: "browser" };
  const answer = await ask("/feedback", { method: "POST", body: JSON.stringify(said), headers: { "Content-Type": "application/json" } });
  return answer.json();
}

const base64Of = (blob) =>
  new Promise((settle, refuse) => {
    const file = new FileReader();
    file.onload = () => settle(file.result.split(",")[1]);
    file.onerror = () => refuse(file.error);
    file.readAsDataURL(blob);
  });
