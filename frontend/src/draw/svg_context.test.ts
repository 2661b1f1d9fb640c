// @vitest-environment jsdom
import { expect, test } from "vitest";
import { CanvasPen } from "./canvas_pen";
import { SvgContext, withoutControls } from "./svg_context";

const svg = (draw: (context: SvgContext, pen: CanvasPen) => void, font = "sans-serif"): string => {
  const context = new SvgContext(100, 50, (text) => 6 * text.length);
  draw(context, new CanvasPen(context, font));
  return context.toString();
};

test("hostile text stays text", () => {
  const file = svg(
    (_, pen) => pen.text('<script>alert("x")</script> & \u0000', 5, 5, { color: 'red" onload="alert(1)' }),
    'Roboto, "Segoe UI"',
  );
  expect(file).not.toContain("<script>");
  expect(file).toContain('&lt;script&gt;alert("x")&lt;/script&gt; &amp; \ufffd');
  expect(file).toContain('fill="red&quot; onload=&quot;alert(1)"');
  expect(file).toContain('font-family="Roboto, &quot;Segoe UI&quot;" font-size="11"');
  const [text] = new DOMParser().parseFromString(file, "image/svg+xml").querySelectorAll("text");
  expect([text.textContent, text.getAttribute("onload")]).toEqual(['<script>alert("x")</script> & \ufffd', null]);
});

test("control characters, which XML forbids, are replaced, line ends stay", () => {
  expect(withoutControls("a\u0007b\nc\u001b")).toBe("a\ufffdb\nc\ufffd");
});

test("a NaN lifts the pen, and a point alone is a dot", () => {
  const file = svg((_, pen) =>
    pen.polyline(Float32Array.of(0, 1, 2, 3), Float32Array.of(0, 1, NaN, 3), 4, { color: "#000", width: 2 }),
  );
  expect(file).toContain('d="M0 0L0 0L1 1M2 3L4 3"');
});

test("the only point of a line or a band is wide enough to be seen under the line of the current step", () => {
  const [x, low, high] = [10, 30, 20].map((value) => Float32Array.of(value));
  const file = svg((_, pen) => {
    pen.polyline(x, low, 1, { color: "#000", width: 2 });
    pen.band(x, low, high, 1, { color: "#000" });
  });
  expect(file).toContain('d="M7 30L13 30"');
  expect(file).toContain("M7 20h6v10h-6Z");
});

test("moves and clips are groups that end where they are taken back, with the styles of before", () => {
  const file = svg((context) => {
    context.fillStyle = "red";
    context.save();
    context.translate(10, 20);
    context.beginPath();
    context.rect(1, 2, 3, 4);
    context.clip();
    context.fillStyle = "blue";
    context.fillRect(0, 0, 5, 5);
    context.restore();
    context.fillRect(0, 0, 1, 1);
  });
  expect(file.replace(/^<svg[^>]*>/, "")).toBe(
    [
      '<g transform="translate(10 20)">',
      '<clipPath id="clip1"><path d="M1 2h3v4h-3Z"/></clipPath>',
      '<g clip-path="url(#clip1)">',
      '<rect x="0" y="0" width="5" height="5" fill="blue"/>',
      "</g>",
      "</g>",
      '<rect x="0" y="0" width="1" height="1" fill="red"/>',
      "</svg>",
    ].join(""),
  );
});

test("a whole circle is two arcs through the point opposite", () => {
  const file = svg((_, pen) => pen.circle(10, 10, 4, { color: "red", opacity: 0.5 }));
  expect(file).toContain('d="M14 10A4 4 0 0 1 6 10A4 4 0 0 1 14 10" fill="red" fill-opacity="0.5"');
});

test("corners are rounded one by one", () => {
  const file = svg((context) => {
    context.beginPath();
    context.roundRect(0, 0, 20, 10, [3, 0, 0, 2]);
    context.fill();
  });
  expect(file).toContain("M3 0L20 0A0 0 0 0 1 20 0L20 10A0 0 0 0 1 20 10L2 10A2 2 0 0 1 0 8L0 3A3 3 0 0 1 3 0Z");
});
