// What time it is at the server: a school's machine may be minutes off, and what is online is told by seconds.
let ahead = 0; // milliseconds

/** Takes the time from an answer's `Date`, which is whole seconds. */
export function hear(answer) {
  const said = Date.parse(answer.headers.get("Date"));
  if (said) ahead = said - Date.now();
}

/** Milliseconds since 1970. */
export const now = () => Date.now() + ahead;
