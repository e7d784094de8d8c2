// How a device is, from when it was last heard of: it asks for messages every twenty seconds at least.
import { now } from "../clock.js";

const ONLINE_MS = 60_000;
const AWAY_MS = 7 * 24 * 3600_000;

export function stateOf(device, at = now()) {
  if (device.state === "revoked") return "revoked";
  const heard = Date.parse(device.last_seen_at ?? device.enrolled_at);
  if (device.last_seen_at && at - heard < ONLINE_MS) return "online";
  return at - heard > AWAY_MS ? "away" : "offline";
}
