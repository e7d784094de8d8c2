// What a person chose for this browser: theme and language. Nothing else is kept here, and no secret ever.

const read = (name) => {
  try {
    return localStorage.getItem(`handfed.${name}`);
  } catch {
    return null; // a browser that keeps nothing
  }
};

const write = (name, value) => {
  try {
    localStorage.setItem(`handfed.${name}`, value);
  } catch {
    // it holds until the page is closed
  }
};

export const THEMES = ["system", "light", "dark"];

export const theme = () => (THEMES.includes(read("theme")) ? read("theme") : "system");

/** Shows the pages in a theme, and tells charts, which draw with its colours. */
export function setTheme(name) {
  write("theme", name);
  applyTheme();
}

export function applyTheme() {
  document.documentElement.dataset.theme = theme();
  dispatchEvent(new Event("handfed:theme"));
}

export const chosenLanguage = () => read("language");
export const chooseLanguage = (name) => write("language", name);
