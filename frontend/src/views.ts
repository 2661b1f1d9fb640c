/*
 * What is not needed for the first picture of the page: a file of its own (`views.js`), fetched while the page is idle. The one invariant: nothing
 * imports this module but through `import()`.
 */

export { FindingsTools, FindingsView } from "./findings";
export { GraphExport } from "./graph/export_menu";
export { MatrixToolbar, MatrixView } from "./matrix";
export { OperationsDialog } from "./nodes/operations_dialog";
export { NodePanel } from "./panel";
