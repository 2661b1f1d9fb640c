/*
 * The step strip: where in the training we are, and every way to go elsewhere. The one invariant: only recorded steps can be reached.
 */

import "./steps.css";
import type { JSX } from "preact";
import { useCallback, useEffect } from "preact/hooks";
import { announce } from "../a11y";
import { Picture, placeOf } from "../charts/picture";
import { Popover } from "../charts/popover";
import { formatCount, formatDuration } from "../format";
import {
  capture,
  compareStep,
  comparedStep,
  live,
  moveCapture,
  selectStep,
  setLive,
  step,
  steps,
  summary,
} from "../state";
import type { Steps } from "../types";
import type { Paint } from "../widgets/canvas";
import { IconButton, TextButton } from "../widgets/controls";
import type { IconName } from "../widgets/icons";
import { lossShown } from "../states/banner";
import { anyNonfinite, findingsByStep, goToFinding, goToFirstNonfinite, goToNextOf, searching } from "./jumps";
import { playing, togglePlay } from "./play";
import { findingsAt, paintPlace, paintRuler, stepAt } from "./ruler";
import type { RulerModel } from "./ruler";

export function StepStrip({ narrow }: { readonly narrow: boolean }): JSX.Element {
  const recorded = steps.value.data;
  return (
    <section class="steps" aria-label="Step">
      <Transport narrow={narrow} />
      <Now recorded={recorded} narrow={narrow} />
      {!narrow && <Jumps />}
      {recorded !== null && recorded.step.length > 0 && step.value !== null && <Ruler recorded={recorded} />}
    </section>
  );
}

const goFirst = (): void => moveCapture(-Infinity);
const goLast = (): void => setLive(true);

function Transport({ narrow }: { readonly narrow: boolean }): JSX.Element {
  const none = (steps.value.data?.step.length ?? 0) === 0;
  const button = (icon: IconName, label: string, onClick: () => void, className?: string): JSX.Element => (
    <IconButton icon={icon} label={label} disabled={none} onClick={onClick} className={className} />
  );
  const ends = [button("first", "First capture (Home)", goFirst), button("last", "Last capture, follow (End)", goLast)];
  return (
    <div class="transport" role="group" aria-label="Move between captures">
      {!narrow && ends[0]}
      {button("back", "Previous capture (←)", () => moveCapture(-1))}
      {button(playing.value ? "pause" : "play", playing.value ? "Pause (Space)" : "Play (Space)", togglePlay, "")}
      {button("forward", "Next capture (→)", () => moveCapture(1))}
      {narrow ? (
        <Popover label="More steps to go to" button="…" className="more">
          {ends}
          <Jumps />
        </Popover>
      ) : (
        ends[1]
      )}
    </div>
  );
}

function Now({ recorded, narrow }: { readonly recorded: Steps | null; readonly narrow: boolean }): JSX.Element {
  const index = capture.value;
  const last = summary.value?.last_step ?? null;
  if (recorded === null || index < 0 || step.value === null)
    return <div class="now dim">{steps.value.pending ? "loading …" : "no capture yet"}</div>;
  const epoch = recorded.epoch[index];
  const count = recorded.step.length;
  const dropped = recorded.dropped.length;
  return (
    <div class="now">
      <div>
        <span class="dim">step </span>
        <b>{formatCount(step.value)}</b>
        {!narrow && last !== null && <span class="dim"> of {formatCount(last)}</span>}
      </div>
      <div class="dim second">
        capture {formatCount(index + 1)} of {formatCount(count)}
        {!narrow && epoch >= 0 && ` · epoch ${epoch + 1}`}
      </div>
      <div class="dim second">
        <span title="What recording this step took">overhead {formatDuration(recorded.overhead[index])}</span>
        {dropped > 0 && (
          <>
            {" · "}
            <TextButton onClick={() => (lossShown.value = !lossShown.peek())}>
              {formatCount(dropped)} dropped
            </TextButton>
          </>
        )}
      </div>
    </div>
  );
}

/** Only what there is: a run without findings and without NaN has no jumps. Their place is kept, so that nothing moves when they come. */
function Jumps(): JSX.Element {
  const first = findingsByStep.value[0];
  return (
    <div class="jumps">
      {anyNonfinite.value && (
        <TextButton onClick={() => void goToFirstNonfinite()}>
          {searching.value ? "searching …" : "first NaN or Inf"}
        </TextButton>
      )}
      {first !== undefined && <TextButton onClick={() => goToFinding(first)}>first finding</TextButton>}
    </div>
  );
}

/** The picture is one slider: it knows the recorded steps only. */
function Ruler({ recorded }: { readonly recorded: Steps }): JSX.Element {
  const at = step.value ?? 0;
  const compared = compareStep.value === null ? null : comparedStep.value;
  const found = findingsByStep.value;
  const model: RulerModel = { steps: recorded, step: at, compareStep: compared, findings: found };
  const base = useCallback<Paint>((pen, area, palette) => paintRuler(pen, area, palette, model), [recorded, found]);
  const over = useCallback<Paint>(
    (pen, area, palette) => paintPlace(pen, area, palette, model),
    [recorded, at, compared],
  );
  const count = recorded.step.length;
  const text = `step ${formatCount(at)}, capture ${capture.value + 1} of ${count}`;
  useEffect(() => {
    if (!live.peek()) announce(text);
  }, [text]);
  return (
    <div
      class="ruler"
      role="slider"
      tabIndex={0}
      aria-label="Step"
      aria-orientation="horizontal"
      aria-valuemin={recorded.step[0]}
      aria-valuemax={recorded.step[count - 1]}
      aria-valuenow={at}
      aria-valuetext={text}
      onPointerDown={(event) => startDrag(event, model)}
      onPointerMove={(event) => drag(event, recorded)}
      onKeyDown={onRulerKey}
    >
      <Picture label="Captures over steps" base={base} over={over} />
    </div>
  );
}

/** Arrows up and down belong to a slider as well; left, right, Home and End are keys of the whole page. */
function onRulerKey(event: KeyboardEvent): void {
  const moves: Readonly<Record<string, number>> = { ArrowUp: 1, ArrowDown: -1, PageUp: 10, PageDown: -10 };
  const move = moves[event.key];
  if (move === undefined) return;
  event.preventDefault();
  moveCapture(move);
}

function startDrag(event: PointerEvent, model: RulerModel): void {
  if (event.button !== 0) return;
  const target = event.currentTarget as HTMLElement;
  const { x, y } = placeOf(event);
  const width = target.clientWidth;
  const found = findingsAt(model, x, y, width);
  if (found.length > 0) {
    goToNextOf(found);
    return;
  }
  target.setPointerCapture(event.pointerId);
  selectStep(stepAt(model.steps, x, width));
}

function drag(event: PointerEvent, recorded: Steps): void {
  const target = event.currentTarget as HTMLElement;
  if (!target.hasPointerCapture(event.pointerId)) return;
  const aim = stepAt(recorded, placeOf(event).x, target.clientWidth);
  if (aim !== step.peek()) selectStep(aim);
}
