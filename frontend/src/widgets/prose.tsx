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

/**
 * Copies to the clipboard, also on a page that was served without TLS, where `navigator.clipboard` doesn't exist. Fails where there is nothing to
 * copy, and where the browser refuses.
 */
async function copyText(text: string | null): Promise<void> {
  if (text === null) throw new Error();
  if (navigator.clipboard !== undefined) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  if (!copied) throw new Error();
}

const SAID = 2000;

/** What came of the last copy, for two seconds, then ""; and a way to copy. Null: there is nothing that could be copied. */
export function useCopy(): readonly [outcome: string, copy: (text: string | null) => void] {
  const [outcome, setOutcome] = useState("");
  useEffect(() => {
    const timer = setTimeout(() => setOutcome(""), SAID);
    return () => clearTimeout(timer);
  }, [outcome]);
  const say = (word: string): void => {
    setOutcome(word);
    announce(word);
  };
  return [
    outcome,
    (text) =>
      void copyText(text).then(
        () => say("Copied"),
        () => say("Can't be copied"),
      ),
  ];
}

/** A button that copies `text` and says so. */
export function CopyButton({ text }: { readonly text: string }): JSX.Element {
  const [outcome, copy] = useCopy();
  return (
    <button type="button" class="btn" onClick={() => copy(text)}>
      {outcome || "Copy"}
    </button>
  );
}

/** Lines of code with a copy button. A line in `added` is marked as the one to add. `here` is the line that is spoken of in code to look at. */
export function CodeBlock({
  code,
  added = [],
  here,
}: {
  readonly code: string;
  readonly added?: readonly number[];
  readonly here?: number;
}): JSX.Element {
  return (
    <div class="code">
      <div class="code-lines" role="group" aria-label="Code">
        {code.split("\n").map((line, index) => (
          <div key={index} class={added.includes(index) ? "add" : index === here ? "here" : ""}>
            {line}
          </div>
        ))}
      </div>
      {here === undefined && <CopyButton text={code} />}
    </div>
  );
}
