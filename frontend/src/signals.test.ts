// @vitest-environment jsdom
import { signal } from "@preact/signals";
import type { Signal } from "@preact/signals";
import { h, render } from "preact";
import type { ComponentChild } from "preact";
import { useState } from "preact/hooks";
import { beforeEach, expect, test } from "vitest";

let root: HTMLElement;
let rendered: string[];
beforeEach(() => {
  root = document.createElement("div");
  rendered = [];
});

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

function Reads({ of, name }: { readonly of: Signal<number>; readonly name: string }): ComponentChild {
  rendered.push(name);
  return h("b", null, `${name}${of.value}`);
}

test("a component that reads a signal follows it, and no other is rendered", async () => {
  const [a, b] = [signal(1), signal(1)];
  const Parent = (): ComponentChild => {
    rendered.push("parent");
    return h("p", null, h(Reads, { of: a, name: "a" }), h(Reads, { of: b, name: "b" }));
  };
  render(h(Parent, null), root);
  rendered = [];
  a.value = 2;
  await settled();
  expect(root.textContent).toBe("a2b1");
  expect(rendered).toEqual(["a"]);
});

test("a parent that is rendered anew leaves alone what reads signals and has the same properties", async () => {
  const [outer, inner] = [signal(1), signal(1)];
  const Plain = (): ComponentChild => {
    rendered.push("plain");
    return "!";
  };
  const Parent = (): ComponentChild => h("p", null, outer.value, h(Reads, { of: inner, name: "in" }), h(Plain, null));
  render(h(Parent, null), root);
  rendered = [];
  outer.value = 2;
  await settled();
  expect(root.textContent).toBe("2in1!");
  expect(rendered).toEqual(["plain"]);
});

test("state of its own and new properties render as ever", async () => {
  const [outer, inner] = [signal("x"), signal(1)];
  let add = (): void => undefined;
  const Counter = ({ name }: { readonly name: string }): ComponentChild => {
    const [count, setCount] = useState(0);
    add = () => setCount(count + 1);
    return `${name}${count}${inner.value}`;
  };
  const Parent = (): ComponentChild => h(Counter, { name: outer.value });
  render(h(Parent, null), root);
  add();
  await settled();
  expect(root.textContent).toBe("x11");
  outer.value = "y";
  await settled();
  expect(root.textContent).toBe("y11");
});

test("what is gone follows nothing", async () => {
  const [shown, read] = [signal(true), signal(1)];
  const Parent = (): ComponentChild => h("p", null, shown.value && h(Reads, { of: read, name: "r" }));
  render(h(Parent, null), root);
  shown.value = false;
  await settled();
  rendered = [];
  read.value = 2;
  await settled();
  expect(rendered).toEqual([]);
});
