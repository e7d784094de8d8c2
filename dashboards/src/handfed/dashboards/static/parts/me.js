// Who asks, and what they may do. The server decides; the pages only leave out what it would refuse.
import { createContext, useContext } from "../view.js";

export const Me = createContext(null);

const ROLES = ["viewer", "operator", "admin"];

export function useMe() {
  const me = useContext(Me);
  const rank = ROLES.indexOf(me.role);
  return {
    ...me,
    isOperator: rank >= 1,
    isAdmin: rank >= 2,
    isOfFederation: me.organisation === null,
    leadsFederation: rank >= 1 && me.organisation === null,
  };
}
