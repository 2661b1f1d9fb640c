/*
 * The controls of a picture: which example, which view, which colours, minus what, which axes, and the way out as a file.
 * The one invariant: every choice that changes what the numbers mean is also said in the card's head.
 */

import type { JSX } from "preact";
import { Popover } from "../charts/popover";
import { tensorCsv } from "../export/csv";
import { download, drawingOf, runFile } from "../export/download";
import { npyBytes } from "../export/npy";
import { comparedStep, compareRun } from "../state";
import { formatCount } from "../format";
import { reassign, slicedAxes, tileAxis, type ViewKind } from "../tensor/arrangement";
import type { Extent } from "../tensor/coloring";
import { type Option, Select } from "../widgets/controls";
import type { Drawing } from "../widgets/canvas";
import { arrange, held } from "./axes";
import { drawingItems, type MenuItem, MenuItems } from "./menu_items";
import { type Scene, shownTensor } from "./scene";
import {
  chosenTile,
  example,
  extents,
  type Minus,
  minus,
  type Sorting,
  sorting,
  squareRoot,
  wantedView,
} from "./state";
import { Stepper } from "./stepper";
import type { Drawn } from "./tiles_picture";

interface ToolsProps {
  readonly scene: Scene;
  readonly kinds: readonly ViewKind[];
  readonly large: boolean;
  /** The pictures beside each other. */
  readonly drawn: readonly Drawn[];
}

/** Axes shorter than this need no stepper. */
const SLICED_FROM = 2;

export function ViewerTools(props: ToolsProps): JSX.Element {
  const { scene, kinds, large } = props;
  return (
    <>
      {large && <Settings scene={scene} />}
      <Slices scene={scene} />
      {kinds.length > 1 && (
        <Select name="View" value={scene.kind} options={kinds} onChange={(kind) => (wantedView.value = kind)} />
      )}
      <Popover label="Settings and export" button="⋯" className="chart-menu">
        {(close) => (
          <>
            {!large && (
              <div class="menu-settings">
                <Settings scene={scene} />
              </div>
            )}
            <Axes scene={scene} />
            <Exports {...props} close={close} />
          </>
        )}
      </Popover>
    </>
  );
}

/** One stepper per axis that is held at an index. */
function Slices({ scene }: Pick<ToolsProps, "scene">): JSX.Element {
  const { subject, names, index } = scene;
  const axes = slicedAxes(subject.shape, scene.arrangement).filter((axis) => subject.shape[axis] >= SLICED_FROM);
  return (
    <>
      {axes.map((axis) => {
        const examples = subject.batched && axis === 0;
        return (
          <Stepper
            key={axis}
            name={names[axis]}
            keys={examples ? ["[", "]"] : undefined}
            index={index[axis]}
            count={subject.shape[axis]}
            base={examples ? 1 : 0}
            stride={scene.value.strides[axis]}
            onChange={(to) => {
              if (examples) example.value = to;
              else if (axis === tileAxis(subject)) chosenTile.value = to;
              else held.value = index.map((old, each) => (each === axis ? to : old));
            }}
          />
        );
      })}
    </>
  );
}

const EXTENTS: readonly Option<Extent>[] = [
  { value: "steps", label: "all steps" },
  { value: "percentile", label: "99.5 % of all steps" },
  { value: "step", label: "this step" },
  { value: "tile", label: "each tile" },
];

const SORTINGS: readonly Option<Sorting>[] = [
  { value: "index", label: "by index" },
  { value: "value", label: "by value" },
  { value: "size", label: "by size" },
];

function Settings({ scene }: Pick<ToolsProps, "scene">): JSX.Element {
  const colored = scene.kind !== "bars" && scene.kind !== "table" && scene.kind !== "number";
  return (
    <>
      {colored && (
        <Select
          label="scale"
          value={scene.extent}
          options={EXTENTS.filter(({ value }) => usable(scene, value))}
          onChange={(extent) => (extents.value = { ...extents.peek(), [scene.quantity]: extent })}
        />
      )}
      {colored && (
        <Select
          label="colour"
          value={scene.squareRoot ? "root" : "linear"}
          options={["linear", { value: "root", label: "square root" }]}
          onChange={(kind) => (squareRoot.value = kind === "root")}
        />
      )}
      {scene.kind === "bars" && (
        <Select label="sort" value={sorting.value} options={SORTINGS} onChange={(chosen) => (sorting.value = chosen)} />
      )}
      <ViewerTools.Minus />
    </>
  );
}

function usable(scene: Scene, extent: Extent): boolean {
  if (extent === "tile") return scene.arrangement.tile !== null;
  if (extent === "percentile") return scene.histogram !== null && !scene.isDifference;
  return extent === "step" || !scene.isDifference;
}

/** What it is set against. Stands apart, for it is needed where there is no picture because of it. */
ViewerTools.Minus = function MinusSelect(): JSX.Element {
  const against = compareRun.value ?? (comparedStep.value === null ? null : `step ${formatCount(comparedStep.value)}`);
  const name = against ?? "what is compared";
  const compared: Option<Minus>[] = [
    { value: "compared", label: `minus ${name}` },
    { value: "beside", label: `beside ${name}` },
  ];
  const options: (Option<Minus> | Minus)[] = [
    "nothing",
    { value: "previous", label: "minus the capture before" },
    { value: "first", label: "minus the first capture" },
    // A link may ask for what isn't there.
    ...compared.filter(({ value }) => against !== null || value === minus.value),
  ];
  return <Select label="against" value={minus.value} options={options} onChange={(chosen) => (minus.value = chosen)} />;
};

/** Which axis runs down, which across, which makes tiles. */
function Axes({ scene }: Pick<ToolsProps, "scene">): JSX.Element | null {
  const { arrangement, names, subject } = scene;
  const parts = (["row", "column", "tile"] as const).filter((part) => arrangement[part] !== null);
  if (subject.shape.length < 2 || parts.length === 0) return null;
  const words = { row: "down", column: "across", tile: "tiles" };
  const options = names.map((name, axis) => ({ value: String(axis), label: `${name} (${subject.shape[axis]})` }));
  return (
    <div class="menu-settings">
      {parts.map((part) => (
        <Select
          key={part}
          label={words[part]}
          value={String(arrangement[part])}
          options={options}
          onChange={(axis) => arrange(scene.kind, reassign(arrangement, part, Number(axis)))}
        />
      ))}
    </div>
  );
}

function Exports({ scene, drawn, close }: ToolsProps & { readonly close: () => void }): JSX.Element {
  const word = scene.isDifference ? "difference" : "sample";
  const file = (extension: string): string =>
    runFile([scene.node.name, scene.quantity, word, `step ${scene.step}`], extension);
  const items: MenuItem[] = [
    [`.npy of the ${word}`, () => download(file("npy"), npyBytes(shownTensor(scene)))],
    [
      `.csv of the ${word}`,
      () => download(file("csv"), tensorCsv(shownTensor(scene), scene.names, scene.value.strides)),
    ],
  ];
  if (scene.kind !== "table" && scene.kind !== "number") {
    const pictures = drawn.flatMap(({ areaRef, baseRef: { current: paint } }) =>
      paint === null ? [] : [drawingOf(areaRef.current, paint)],
    );
    items.push(...drawingItems(file, () => inARow(pictures)));
  }
  return <MenuItems items={items} close={close} />;
}

/** Pictures of equal size beside each other, as one. */
function inARow(pictures: readonly Drawing[]): Drawing {
  const { width, height } = pictures[0].area;
  return {
    area: { width: width * pictures.length, height },
    draw: (context, palette) =>
      pictures.forEach(({ draw }, place) => {
        context.save();
        context.translate(width * place, 0);
        draw(context, palette);
        context.restore();
      }),
  };
}
