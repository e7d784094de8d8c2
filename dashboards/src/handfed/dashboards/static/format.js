// Numbers, sizes and times as a person's language and time zone have them.
import { now } from "./clock.js";
import { current as language } from "./i18n.js";

const NOTHING = "–";

/** The locale of the browser where it is of the language that is shown: dates of Britain are not those of the States. */
const current = () => navigator.languages.find((each) => each.startsWith(language())) ?? language();

const cache = new Map();

function formatter(kind, options) {
  const key = JSON.stringify([current(), kind, options]);
  if (!cache.has(key)) cache.set(key, new Intl[kind](current(), options));
  return cache.get(key);
}

const known = (value) => value !== null && value !== undefined && !Number.isNaN(value);

export const number = (value, digits = 0) =>
  known(value) ? formatter("NumberFormat", { maximumFractionDigits: digits }).format(value) : NOTHING;

export const percent = (value, digits = 1) =>
  known(value)
    ? formatter("NumberFormat", { style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value)
    : NOTHING;

/** A probability, to two digits however small it is. */
export const chance = (value) =>
  known(value)
    ? formatter("NumberFormat", { maximumSignificantDigits: 2, notation: value < 0.001 ? "scientific" : "standard" }).format(value)
    : NOTHING;

export const milliseconds = (value) =>
  known(value) ? formatter("NumberFormat", { style: "unit", unit: "millisecond", maximumSignificantDigits: 2 }).format(value) : NOTHING;

/** A difference of two rates, with its sign, in percentage points. */
export const points = (value) =>
  known(value)
    ? formatter("NumberFormat", { signDisplay: "exceptZero", minimumFractionDigits: 2, maximumFractionDigits: 2 }).format(100 * value)
    : NOTHING;

export function bytes(value) {
  if (!known(value)) return NOTHING;
  const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
  let size = value;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) [size, unit] = [size / 1000, unit + 1];
  const options = { style: "unit", unit: units[unit], unitDisplay: unit ? "short" : "narrow", maximumFractionDigits: size < 10 && unit ? 1 : 0 };
  return formatter("NumberFormat", options).format(size);
}

export function seconds(value) {
  if (!known(value)) return NOTHING;
  const [size, unit] = value < 120 ? [value, "second"] : value < 7200 ? [value / 60, "minute"] : [value / 3600, "hour"];
  const options = { style: "unit", unit, unitDisplay: "narrow", maximumFractionDigits: unit === "second" && value < 10 ? 1 : 0 };
  return formatter("NumberFormat", options).format(size);
}

export const moment = (value) =>
  value ? formatter("DateTimeFormat", { dateStyle: "medium", timeStyle: "short" }).format(new Date(value)) : NOTHING;

export const day = (value) =>
  value ? formatter("DateTimeFormat", { dateStyle: "medium" }).format(new Date(value)) : NOTHING;

const STEPS = [["second", 60], ["minute", 60], ["hour", 24], ["day", 30], ["month", 12], ["year", Infinity]];

/** How long ago, in one unit. */
export function ago(value, at = now()) {
  if (!value) return NOTHING;
  let past = (new Date(value).getTime() - at) / 1000;
  for (const [unit, size] of STEPS) {
    if (Math.abs(past) < size) return formatter("RelativeTimeFormat", { numeric: "auto" }).format(Math.round(past), unit);
    past /= size;
  }
  return NOTHING;
}
