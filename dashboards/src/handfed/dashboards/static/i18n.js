// Every word that people see, by key, in one catalogue a language. English is what the others fall back to.
import { chosenLanguage, chooseLanguage } from "./preferences.js";

// Each language by the name it has itself.
export const LANGUAGES = { en: "English", de: "Deutsch", fr: "Français", zh: "中文" };

let language = "en";
let words = {};
let fallback = {};

const fetchWords = async (name) => (await fetch(`catalogues/${name}.json`)).json();

/** The language that a person chose here, or else the first that their browser asks for and that there is. */
export function wanted() {
  const asked = [chosenLanguage(), ...navigator.languages].filter(Boolean).map((each) => each.slice(0, 2));
  return asked.find((each) => each in LANGUAGES) ?? "en";
}

export async function load(name = wanted()) {
  [words, fallback] = await Promise.all([fetchWords(name), name === "en" ? {} : fetchWords("en")]);
  language = name;
  document.documentElement.lang = name;
}

export async function speak(name) {
  chooseLanguage(name);
  await load(name);
  dispatchEvent(new Event("handfed:language"));
}

export const current = () => language;

export const has = (key) => key in words || key in fallback;

/** The words of a key, with `{name}` replaced. */
export function t(key, values = {}) {
  const text = words[key] ?? fallback[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
