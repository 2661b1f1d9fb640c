import type { JSX } from "preact";

export function NodePanel(): JSX.Element {
  return <div />;
}
