// How a release reads each class: what devices told when they judged its file, or else the last rounds of its run.
import { all, get } from "../api.js";

const LAST = 20;

/** The last rounds of a run, of which one was evaluated. */
async function lastRounds(run) {
  if (!run) return [];
  const { rounds } = await get(`/runs/${run}`);
  return all(`/runs/${run}/rounds?after=${Math.max(rounds - LAST, 0)}`);
}

/**
 * @returns {{classes, round, confusions}} `classes` of `{name, samples, correct}`, `confusions` of `{written, read, samples}`
 * by name; `round` is the one that told of the classes, null where they are of the file itself.
 */
export async function byClass(release) {
  const names = release.manifest.alphabet ?? [];
  const name = (label) => names[label] ?? String(label);
  const { classes, confusions = [] } = release.manifest.metrics ?? {};
  if (classes) {
    return {
      round: null,
      classes: classes.map(([label, samples, correct]) => ({ name: name(label), samples, correct })),
      confusions: confusions.map(([written, read, samples]) => ({ written: name(written), read: name(read), samples })),
    };
  }
  const last = (await lastRounds(release.run_id)).findLast((round) => round.class_counts.length);
  const told = last?.class_counts ?? [];
  return { round: last?.number ?? null, classes: told.map(({ label, samples, correct }) => ({ name: name(label), samples, correct })), confusions: [] };
}
