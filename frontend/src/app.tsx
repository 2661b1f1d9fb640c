import type { JSX } from "preact";
import { GraphView } from "./graph";
import { MatrixView } from "./matrix";
import { NodePanel } from "./panel";
import { view } from "./state";

export function App(): JSX.Element {
  return (
    <main>
      {view.value === "matrix" ? <MatrixView /> : <GraphView />}
      <NodePanel />
    </main>
  );
}
