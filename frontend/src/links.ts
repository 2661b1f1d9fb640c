/*
 * Which parts of the state an address names. The one invariant: opening the address of a page shows what that page showed, on any machine
 * that serves the same log directory. The filters of the list register theirs in `nodes/filter.ts`, the order theirs in `nodes/model.ts`.
 */

import "./charts/shared";
import "./panel/state";
import "./findings/options";
import "./graph/options";
import "./matrix/options";
import { choiceLink, linkSignal, setLink, stepLink, switchLink, textLink, wordLink } from "./host";
import { shownColumns, storedColumns, USUAL_COLUMNS } from "./nodes/columns";
import { toggled } from "./nodes/model";
import { arrangements, arrangementsLink, held, heldLink } from "./panel/axes";
import { enlarged, nodesShown } from "./shell/layout";
import {
  askForStep,
  compareRun,
  compareStep,
  live,
  node,
  quantity,
  run,
  statistic,
  step,
  view,
  wantedStep,
} from "./state";
import type { View } from "./state";
import { QUANTITIES } from "./types";
import type { Step } from "./units";

const VIEWS: readonly View[] = ["graph", "matrix", "findings"];

/** While the page follows the last step, its address names no step: whoever opens it later follows too. */
const linkedStep = {
  get value(): Step | null {
    return live.value ? null : (wantedStep.value ?? step.value);
  },
  set value(chosen: Step | null) {
    askForStep(chosen);
  },
};

linkSignal("run", run, textLink, true);
linkSignal("node", node, textLink, true);
// After the node that they belong to.
linkSignal("axes", arrangements, arrangementsLink);
linkSignal("held", held, heldLink);
linkSignal("view", view, choiceLink<View>("graph", VIEWS), true);
linkSignal("step", linkedStep, stepLink);
linkSignal("quantity", quantity, choiceLink("value", QUANTITIES));
linkSignal("statistic", statistic, wordLink("std"));
linkSignal("compare_run", compareRun, textLink);
linkSignal("compare_step", compareStep, stepLink);
linkSignal("enlarged", enlarged, switchLink(false));
linkSignal("nodes", nodesShown, switchLink(true));
linkSignal("columns", shownColumns, setLink(USUAL_COLUMNS, storedColumns));
linkSignal("folds", toggled, setLink(new Set()));
