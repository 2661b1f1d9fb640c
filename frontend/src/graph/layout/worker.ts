/**
 * The layout worker: answers each request with its number, so that the page can drop the answers to requests it no longer wants.
 * A file of our own origin; TensorBoard's content security policy refuses workers from blobs.
 */

import { layOutNested, type LayoutAnswer, type LayoutRequest } from "./nested";

export interface NumberedRequest {
  readonly id: number;
  readonly request: LayoutRequest;
}

export interface NumberedAnswer {
  readonly id: number;
  readonly answer: LayoutAnswer;
}

onmessage = ({ data }: MessageEvent<NumberedRequest>) => {
  const answer = layOutNested(data.request);
  const transfer = Object.values(answer).map((array: ArrayBufferView<ArrayBuffer>) => array.buffer);
  postMessage({ id: data.id, answer } satisfies NumberedAnswer, { transfer });
};
