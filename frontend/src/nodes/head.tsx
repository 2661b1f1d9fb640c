/*
 * The head of the node list: how many nodes, in which order, which statistic and quantity, which columns. The choice of statistic and quantity rules
 * the whole page. The one invariant: a head stands exactly over its column.
 */

import type { JSX } from "preact";
import { CheckMenu } from "../charts/check_menu";
import { formatCount } from "../format";
import { graph, nodes, quantity, setQuantity, setStatistic, statistic } from "../state";
import { labelOf, statisticsOf } from "../statistics";
import { QUANTITIES } from "../types";
import { Select } from "../widgets/controls";
import { Icon } from "../widgets/icons";
import { comparing, gridTemplate, possibleColumns, showColumns, shownColumns, USUAL_COLUMNS } from "./columns";
import type { Column, ColumnId } from "./columns";
import { matchCount, matches } from "./filter";
import { cycleSort, decodeSort, encodeSort, sort } from "./model";

export function ListHead({ columns }: { readonly columns: readonly Column[] }): JSX.Element {
  return (
    <div class="lh" style={{ gridTemplateColumns: gridTemplate(columns) }}>
      <div class="lh-name">
        <span class={matches.value === null ? "lh-all" : ""}>{countText()}</span>
        <OrderSelect />
        <ColumnMenu />
      </div>
      {columns.map((column) => (
        <HeadCell key={column.id} column={column} />
      ))}
    </div>
  );
}

function countText(): string {
  if (graph.value.data === null) return "";
  const all = formatCount(nodes.value.length);
  return matches.value === null ? `${all} nodes` : `${formatCount(matchCount.value)} of ${all}`;
}

function OrderSelect(): JSX.Element {
  const by = [...(comparing.value ? ["difference"] : []), ...statisticsOf(graph.value.data, quantity.value)];
  const options = by.flatMap((name) => [
    { value: `-${name}`, label: `largest ${labelOf(name)}` },
    { value: name, label: `smallest ${labelOf(name)}` },
  ]);
  return (
    <Select
      name="Order of nodes"
      className="quiet"
      value={encodeSort(sort.value) ?? ""}
      options={[{ value: "", label: "execution order" }, ...options]}
      onChange={(value) => (sort.value = decodeSort(value))}
    />
  );
}

function HeadCell({ column }: { readonly column: Column }): JSX.Element {
  if (column.id === "number") {
    const options = statisticsOf(graph.value.data, quantity.value).map((value) => ({ value, label: labelOf(value) }));
    const known = options.some((option) => option.value === statistic.value);
    return (
      <Select
        name="Statistic"
        value={statistic.value}
        options={known ? options : [...options, { value: statistic.value, label: labelOf(statistic.value) }]}
        onChange={setStatistic}
      />
    );
  }
  if (column.id === "history") {
    return (
      <Select name="Quantity" className="start" value={quantity.value} options={QUANTITIES} onChange={setQuantity} />
    );
  }
  if (column.id === "finding") return <span class="sr">findings</span>;
  if (column.id === "class" || column.id === "shape") return <span>{column.label}</span>;
  return <SortHead column={column} by={column.id.replace("statistic:", "")} />;
}

/** A head that sorts by its column: largest first, smallest first, back to the order of execution. */
function SortHead({ column, by }: { readonly column: Column; readonly by: string }): JSX.Element {
  const chosen = sort.value?.by === by ? sort.value : null;
  return (
    <button type="button" class={`lnk sort ${chosen === null ? "" : "on"}`} onClick={() => cycleSort(by)}>
      {column.label}
      {chosen !== null && <Icon name={chosen.descending ? "down" : "up"} small />}
    </button>
  );
}

/** Number, history and findings first: they are the ones that are there from the start. */
function usualFirst(columns: readonly Column[]): readonly Column[] {
  const usual = (column: Column): boolean => USUAL_COLUMNS.has(column.id);
  return [...columns.filter(usual), ...columns.filter((column) => !usual(column))];
}

function ColumnMenu(): JSX.Element {
  return (
    <CheckMenu
      name="Columns"
      options={usualFirst(possibleColumns.value)}
      chosen={shownColumns.value}
      onChange={(chosen) => showColumns(chosen as ReadonlySet<ColumnId>)}
    />
  );
}
