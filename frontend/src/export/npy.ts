/*
 * Writes .npy files, format version 1.0 (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
 *
 * The one invariant: `numpy.load` gives back the very bytes of the tensor in its own dtype. bfloat16, which numpy doesn't know, is widened to
 * float32, which loses nothing.
 */

import type { Tensor } from "../types";

/** `F32` as numpy writes it, `<f4`; undefined for a type that numpy doesn't know. */
function descriptorOf(dtype: string): string | undefined {
  if (dtype === "BOOL") return "|b1";
  const [, kind, bits] = /^([FIU])(8|16|32|64)$/.exec(dtype === "BF16" ? "F32" : dtype) ?? [];
  return kind && `${bits === "8" ? "|" : "<"}${kind.toLowerCase()}${Number(bits) / 8}`;
}

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0];
/** numpy pads the header so that the data start at a multiple of this. */
const ALIGNMENT = 64;

export function npyBytes(tensor: Pick<Tensor, "dtype" | "shape" | "bytes" | "data">): Uint8Array<ArrayBuffer> {
  const descriptor = descriptorOf(tensor.dtype);
  if (descriptor === undefined)
    throw new RangeError(`Expected a dtype that numpy knows. Received: dtype=${tensor.dtype}`);
  const data = tensor.dtype === "BF16" ? littleEndian(Float32Array.from(tensor.data)) : tensor.bytes;
  const header = headerOf(descriptor, tensor.shape);
  const file = new Uint8Array(header.length + data.length);
  file.set(header);
  file.set(data, header.length);
  return file;
}

function headerOf(descriptor: string, shape: readonly number[]): Uint8Array {
  const extents = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  const text = `{'descr': '${descriptor}', 'fortran_order': False, 'shape': ${extents}, }`;
  const prefix = MAGIC.length + 2;
  const padding = (ALIGNMENT - ((prefix + text.length + 1) % ALIGNMENT)) % ALIGNMENT;
  const body = `${text}${" ".repeat(padding)}\n`;
  const bytes = new Uint8Array(prefix + body.length);
  bytes.set(MAGIC);
  new DataView(bytes.buffer).setUint16(MAGIC.length, body.length, true);
  bytes.set(new TextEncoder().encode(body), prefix);
  return bytes;
}

function littleEndian(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
