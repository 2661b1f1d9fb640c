import type { JSX } from "preact";

export function MatrixView(): JSX.Element {
  return <div />;
}
