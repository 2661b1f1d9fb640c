import { useEffect, useState } from "preact/hooks";
import type { Milliseconds } from "../units";

const INTERVAL: Milliseconds = 500;

/** The time in milliseconds since the epoch, for texts that count seconds. */
export function useNow(): Milliseconds {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), INTERVAL);
    return () => clearInterval(timer);
  }, []);
  return now;
}
