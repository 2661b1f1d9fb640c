import type { JSX } from "preact";

export function MatrixView(): JSX.Element {
  return <div />;
}

export function MatrixToolbar(): JSX.Element {
  return <div />;
}
