// Asks the server for a page, once or again and again, and keeps what came last when an answer fails.
import { useCallback, useEffect, useRef, useState } from "../view.js";

/**
 * @param ask What asks; called anew when `inputs` change.
 * @param every Milliseconds between two answers, while the page is seen; 0 for once.
 * @returns {{data, problem, reload}} `data` is null before the first answer.
 */
export function useAnswer(ask, inputs = [], every = 0) {
  const [state, setState] = useState({ data: null, problem: null });
  const turn = useRef(0);
  const reload = useCallback(async () => {
    const mine = ++turn.current;
    try {
      const data = await ask();
      if (mine === turn.current) setState({ data, problem: null });
    } catch (problem) {
      if (mine === turn.current) setState((known) => ({ ...known, problem }));
    }
  }, inputs);
  useEffect(() => {
    setState({ data: null, problem: null });
  }, inputs);
  useEffect(() => {
    let timer = null;
    let isOver = false;
    const look = async () => {
      await reload();
      clearTimeout(timer);
      if (every && !isOver && !document.hidden) timer = setTimeout(look, every);
    };
    const seen = () => {
      clearTimeout(timer);
      if (every && !document.hidden) look();
    };
    document.addEventListener("visibilitychange", seen);
    look();
    return () => {
      isOver = true;
      turn.current++;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", seen);
    };
  }, [reload, every]);
  return { ...state, reload };
}
