import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { decode, WireError } from "./wire";

const GOLDEN = resolve(import.meta.dirname, "../../tests/plugin/golden");
const SEGMENTS = resolve(import.meta.dirname, "../../tests/store/golden/train/plugins/tb_activations");

function bytesOf(file: string): ArrayBuffer {
  const buffer = readFileSync(file);
  return buffer.buffer.slice(buffer.byteOffset, buffer.byteOffset + buffer.byteLength);
}

/** A file by hand: header and data as given. */
function answer(header: unknown, data: readonly number[] = [], padding = 0): ArrayBuffer {
  const text = new TextEncoder().encode(JSON.stringify(header) + " ".repeat(padding));
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return bytes.buffer;
}

interface Golden {
  readonly metadata: Record<string, string>;
  readonly arrays: Record<string, { shape: number[]; data: (number | string)[] }>;
}

describe("the golden answer that Python made", () => {
  const { arrays, metadata } = decode(bytesOf(`${GOLDEN}/wire.safetensors`));
  const golden = JSON.parse(readFileSync(`${GOLDEN}/wire.json`, "utf-8")) as Golden;

  test.each(Object.keys(golden.arrays))("%s has the numbers that numpy has", (name) => {
    const expected = golden.arrays[name].data.map((value) =>
      value === "inf" ? Infinity : value === "-inf" ? -Infinity : Number(value),
    );
    const tensor = arrays.get(name);
    expect(tensor?.shape).toEqual(golden.arrays[name].shape);
    // `Object.is`: NaN equals itself, and −0 is not 0.
    expect(Array.from(tensor?.data ?? []).every((value, index) => Object.is(value, expected[index]))).toBe(true);
    expect(tensor?.data.length).toBe(expected.length);
  });

  test("holds the metadata and nothing else", () => {
    expect(metadata).toEqual(golden.metadata);
    expect([...arrays.keys()].sort()).toEqual(Object.keys(golden.arrays).sort());
  });

  test("keeps the bytes of the own dtype for an exact export", () => {
    expect(Array.from(arrays.get("bf16")?.bytes.slice(4, 6) ?? [])).toEqual([0x80, 0x3f]);
    expect(arrays.get("i64")?.bytes.length).toBe(32);
  });
});

test("reads a segment of the golden run", () => {
  const { arrays, metadata } = decode(bytesOf(`${SEGMENTS}/segment-000000000000-0007-0123abcd-000000.safetensors`));
  expect(metadata.session).toBe("0123abcd");
  expect(arrays.get("statistics/value")?.shape).toEqual([2, 2, 10]);
  expect(arrays.get("sample/value/BF16")?.data.length).toBe(6);
});

test("an array at an odd offset is read all the same", () => {
  const header = {
    a: { dtype: "U8", shape: [1], data_offsets: [0, 1] },
    b: { dtype: "F32", shape: [1], data_offsets: [1, 5] },
  };
  for (let padding = 0; padding < 8; padding += 1) {
    const { arrays } = decode(answer(header, [7, 0, 0, 0x80, 0x3f], padding));
    expect(Array.from(arrays.get("b")?.data ?? [])).toEqual([1]);
  }
});

test("a name of the prototype is a name like any other", () => {
  const text = '{"__proto__": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}';
  const { arrays } = decode(answer(JSON.parse(text), [9]));
  expect(Array.from(arrays.get("__proto__")?.data ?? [])).toEqual([9]);
});

const entry = { dtype: "F32", shape: [2], data_offsets: [0, 8] };

test.each([
  ["fewer bytes than the length of the header", new ArrayBuffer(7)],
  ["a header longer than the answer", new Uint8Array([255, 255, 255, 255, 255, 255, 255, 127]).buffer],
  ["a header that is no JSON", answer("x").slice(0, 9)],
  ["a header that is no object", answer([1, 2])],
  ["an unknown dtype", answer({ a: { ...entry, dtype: "F8_E4M3" } }, new Array<number>(8).fill(0))],
  ["a dtype of the prototype", answer({ a: { ...entry, dtype: "constructor" } }, new Array<number>(8).fill(0))],
  ["an extent below zero", answer({ a: { ...entry, shape: [-2] } }, new Array<number>(8).fill(0))],
  ["an extent that is no number", answer({ a: { ...entry, shape: ["2"] } }, new Array<number>(8).fill(0))],
  ["offsets that don't fit the shape", answer({ a: { ...entry, data_offsets: [0, 4] } }, new Array<number>(8).fill(0))],
  ["offsets beyond the end", answer({ a: entry }, [0, 0, 0, 0])],
  [
    "offsets that run backwards",
    answer({ a: { ...entry, shape: [0], data_offsets: [8, 4] } }, new Array<number>(8).fill(0)),
  ],
  ["no offsets", answer({ a: { dtype: "F32", shape: [2] } }, new Array<number>(8).fill(0))],
])("refuses %s", (_, buffer) => {
  expect(() => decode(buffer)).toThrow(WireError);
});
