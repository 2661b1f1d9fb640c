// @vitest-environment jsdom
import { beforeEach, expect, test, vi } from "vitest";
import { forgetLayer, paintInFrame } from "./frame";

let frames: FrameRequestCallback[] = [];
beforeEach(() => {
  frames = [];
  vi.stubGlobal("requestAnimationFrame", (callback: FrameRequestCallback) => frames.push(callback));
});

function nextFrame(): void {
  const due = frames;
  frames = [];
  for (const callback of due) callback(0);
}

test("each layer is painted once per frame, with its newest request", () => {
  const painted: string[] = [];
  const [base, over] = [{}, {}];
  paintInFrame(base, () => painted.push("base 1"));
  paintInFrame(over, () => painted.push("over 1"));
  paintInFrame(over, () => painted.push("over 2"));
  paintInFrame(base, () => painted.push("base 2"));
  expect(frames).toHaveLength(1);
  nextFrame();
  expect(painted).toEqual(["base 2", "over 2"]);
});

test("a request made while painting waits for the next frame", () => {
  const painted: string[] = [];
  const layer = {};
  paintInFrame(layer, () => {
    painted.push("first");
    paintInFrame(layer, () => painted.push("second"));
  });
  nextFrame();
  expect(painted).toEqual(["first"]);
  nextFrame();
  expect(painted).toEqual(["first", "second"]);
});

test("a layer that is gone is not painted", () => {
  const layer = {};
  paintInFrame(layer, () => expect.fail("painted a layer that is gone"));
  forgetLayer(layer);
  nextFrame();
});
