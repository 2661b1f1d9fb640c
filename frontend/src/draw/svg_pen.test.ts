import { expect, test } from "vitest";
import { escapeXml, SvgPen } from "./svg_pen";

test("hostile text stays text", () => {
  const pen = new SvgPen(100, 50, 'Roboto, "Segoe UI"');
  pen.text('<script>alert("x")</script> & \u0000', 5, 5, { color: 'red" onload="alert(1)' });
  const svg = pen.toString();
  expect(svg).not.toContain("<script>");
  expect(svg).toContain("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; \ufffd");
  expect(svg).toContain('fill="red&quot; onload=&quot;alert(1)"');
  expect(svg).toContain('font-family="Roboto, &quot;Segoe UI&quot;"');
});

test("control characters, which XML forbids, are replaced, line ends stay", () => {
  expect(escapeXml("a\u0007b\nc\u001b")).toBe("a\ufffdb\nc\ufffd");
});

test("a NaN lifts the pen, and a point alone is a dot", () => {
  const pen = new SvgPen(10, 10, "sans-serif");
  pen.polyline(Float32Array.of(0, 1, 2, 3), Float32Array.of(0, 1, NaN, 3), 4, { color: "#000", width: 2 });
  expect(pen.toString()).toContain('d="M0 0L1 1M3 3h2"');
});

test("equal neighbours of an image are one rectangle", () => {
  const pen = new SvgPen(10, 10, "sans-serif");
  pen.image(
    { data: Uint32Array.of(0xff0000ff, 0xff0000ff, 0xffff0000), width: 3, height: 1 },
    { x: 0, y: 0, width: 6, height: 2 },
  );
  const svg = pen.toString();
  expect(svg.match(/<path/g)).toHaveLength(2);
  expect(svg).toContain('<path d="M0 0h4v2H0z" fill="#ff0000"/>');
  expect(svg).toContain('<path d="M4 0h2v2H4z" fill="#0000ff"/>');
});
