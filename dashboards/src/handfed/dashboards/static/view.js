// What draws the pages, under one name: Preact with htm, from npm (see pins.json).
export {
  html, render, h, createContext, useContext, useState, useEffect, useLayoutEffect, useRef, useMemo, useCallback,
} from "./vendor/preact-htm.js";
