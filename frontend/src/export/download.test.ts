import { expect, test } from "vitest";
import { fileName } from "./download";

test("the name of a file is safe on any file system, whatever the node is called", () => {
  expect(fileName(["digits/train", "encoder/conv2d@2", "step 2400"], "npy")).toBe(
    "digits-train encoder-conv2d@2 step 2400.npy",
  );
  expect(fileName(["../../etc/passwd"], "csv")).toBe("etc-passwd.csv");
  expect(fileName(["a\u202etxt.exe\u0000"], "svg")).toBe("a-txt.exe.svg");
  expect(fileName(["…".repeat(500)], "png").length).toBeLessThan(130);
  expect(fileName(["///"], "png")).toBe("activations.png");
});
