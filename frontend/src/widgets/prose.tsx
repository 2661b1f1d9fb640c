/*
 * Sentences and code of the server as text. The one invariant: nothing is interpreted but `backticks`, which become <code>;
 * names inside are hostile input and stay text nodes.
 */

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { announce } from "../a11y";

/** A sentence with `code` in backticks. */
export function Prose({ text }: { readonly text: string }): JSX.Element {
  const parts = text.split("`");
  // An odd number of backticks closes nothing: show the sentence as it is.
  if (parts.length % 2 === 0) return <>{text}</>;
  return <>{parts.map((part, index) => (index % 2 === 1 ? <code key={index}>{part}</code> : part))}</>;
}

/** Copies to the clipboard, also on a page that was served without TLS, where `navigator.clipboard` doesn't exist. */
export async function copyText(text: string): Promise<void> {
  if (navigator.clipboard !== undefined) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  if (!copied) throw new Error("The browser refused to copy.");
}

/** A button that copies `text` and says so for two seconds. */
export function CopyButton({ text }: { readonly text: string }): JSX.Element {
  const [word, setWord] = useState("Copy");
  useEffect(() => {
    if (word === "Copy") return;
    const timer = setTimeout(() => setWord("Copy"), 2000);
    return () => clearTimeout(timer);
  }, [word]);
  const say = (outcome: string): void => {
    setWord(outcome);
    announce(outcome);
  };
  return (
    <button
      type="button"
      class="btn"
      onClick={() =>
        void copyText(text).then(
          () => say("Copied"),
          () => say("Select and copy"),
        )
      }
    >
      {word}
    </button>
  );
}

/** Lines of code with a copy button. A line in `added` is marked as the one to add. */
export function CodeBlock({
  code,
  added = [],
}: {
  readonly code: string;
  readonly added?: readonly number[];
}): JSX.Element {
  return (
    <div class="code">
      <div class="code-lines" tabIndex={0} role="group" aria-label="Code">
        {code.split("\n").map((line, index) => (
          <div key={index} class={added.includes(index) ? "add" : ""}>
            {line}
          </div>
        ))}
      </div>
      <CopyButton text={code} />
    </div>
  );
}
