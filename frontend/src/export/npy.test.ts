import { expect, test } from "vitest";
import golden from "./npy_golden.json";
import { npyBytes } from "./npy";

const bytesOf = (base64: string): Uint8Array => Uint8Array.from(Buffer.from(base64, "base64"));

test.each(golden.cases)("$dtype $shape is byte for byte what numpy.save writes", ({ dtype, shape, data, npy }) => {
  const written = npyBytes({ dtype, shape, bytes: bytesOf(data), data: new Float32Array() });
  expect(Buffer.from(written).toString("base64")).toBe(npy);
});

test("bfloat16, which numpy doesn't know, is written as float32", () => {
  const written = npyBytes({ dtype: "BF16", shape: [2], bytes: new Uint8Array(4), data: Float32Array.of(1.5, -3) });
  expect(new TextDecoder().decode(written.slice(10, 60))).toContain("'descr': '<f4'");
  expect([...new Float32Array(written.slice(-8).buffer)]).toEqual([1.5, -3]);
});

test("a dtype that numpy doesn't know is refused by name", () => {
  expect(() => npyBytes({ dtype: "F8_E4M3", shape: [], bytes: new Uint8Array(1), data: new Uint8Array(1) })).toThrow(
    "F8_E4M3",
  );
});
