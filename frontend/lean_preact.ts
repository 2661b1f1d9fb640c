/*
 * Preact without what this page never uses: class components, contexts, error boundaries, portals, a page that a server rendered, HTML as text,
 * SVG and MathML. What the library asks of them is answered "no" here, and the minifier drops what hangs on the answer: 1.9 kB of the page's budget.
 *
 * The one invariant: a rule that finds nothing, as in another version of Preact, stops the build. Unit tests run what is left, too.
 */
import type { Plugin } from "vite";

const LIFECYCLE = [
  ...["getDerivedStateFromProps", "getDerivedStateFromError", "getSnapshotBeforeUpdate", "getChildContext"],
  ...["componentWillReceiveProps", "componentWillMount", "componentDidMount", "componentDidUpdate"],
  ...["componentWillUpdate", "componentWillUnmount", "componentDidCatch", "contextType"],
];

/** Places for hooks of others. */
const OPTIONS = ["vnode", "event", "debounceRendering"];

type Rule = readonly [pattern: RegExp, answer: string];

/** Letters are those that the pinned version gives to its variables. */
const CORE: readonly Rule[] = [
  [new RegExp(`\\b\\w\\.(${LIFECYCLE.join("|")})\\b(?!=)`, "g"), "void 0"],
  [new RegExp(`\\bn\\.(${OPTIONS.join("|")})\\b`, "g"), "void 0"],
  [/\(s=V\.prototype\)&&s\.render/, "0"],
  [/j=\(s=void 0\)&&i\[s\.__c\],L=s\?j\?j\.props\.value:s\.__:i/, "L=i"],
  [/j&&j\.sub\(d\),/, ""],
  [/e=\(o=i\.constructor\)&&void 0/, "e=0"],
  [/d\.context=L,|,d\.context(?=\))/g, ""],
  // A portal is a component with this property.
  [/\b\w\.props\.__P|\bM\.__P/g, "0"],
  // Elements that are there before the first rendering, and components that wait for a promise meanwhile.
  [/(32|128)&\w\.__u/g, "0"],
  [/\w&&\w\.then\b/g, "0"],
  [/\b8==\w\.nodeType/g, "0"],
  [/\(i=i\.__z\)/, "0"],
  [/\w\?null:\w\.firstChild\?\w\.call\(\w\.childNodes\):null/, "null"],
  [/(function z\(t,r,u,i,f,)o(,e,l,)c(,a\)\{)/, "$1_o$2_c$3let o=null,c=0;"],
  [/(function F\(t,r,u,i,f,)o(,e,)l(,c,a\)\{)/, "$1_o$2_l$3let o=null,l=0;"],
  [/,l&&\(n\.__m&&n\.__m\(r,o\),l=!1\),o=null/, ""],
  [/o="textarea"==C&&null!=x\.defaultValue\?null:o&&d\.call\(a\.childNodes\),/, ""],
  [/"dangerouslySetInnerHTML"==\w/g, "0"],
  [/"(svg|math|foreignObject|template|progress)"==\w/g, "0"],
  [/"http:\/\/www\.w3\.org\/(1998\/Math\/MathML|2000\/svg)"==\w/g, "0"],
  [/&&\("progress"!=C\|\|b\)/, ""],
  [/"(value|checked)"==s&&"default\w+"in \w/g, "0"],
  // There is one namespace and one document.
  [/0\?f="http:\/\/www.w3.org\/2000\/svg":0\?.*?:f\|\|\(f="http:\/\/www.w3.org\/1999\/xhtml"\),o/, "o"],
  [/M=a\.ownerDocument\|\|document,!C\)return M/, "!C)return document"],
  [/M\.createElementNS\(f,C,x\.is\?x:a\)/, "document.createElement(C)"],
  [/\w\.namespaceURI/g, "0"],
  // Attributes: no style is a text, no event is caught on its way down, and these have properties that take what we give.
  [
    /if\("string"==typeof r\)n\.style\.cssText=r;else\{if\("string"==typeof u&&\(n\.style\.cssText=u=""\),(u\).*?)\}else/,
    "{if($1}else",
  ],
  [/f=t!=\(t=t\.replace\(l,"\$1"\)\),/, ""],
  [/(EventListener\(t,o),f\)/g, "$1)"],
  [/"(width|height|href|list|form|download|rowSpan|colSpan|popover)"!=t&&/g, ""],
  [/"popover"==t&&1==r\?"":r/, "r"],
  // State is that of hooks, and what fails reaches the browser.
  [/\(n,t\)\{var r=this\.__s;.*?this\.__v&&\(t&&this\.__k\.push\(t\),L\(this\)\)\)\}/, "(){this.__v&&L(this)}"],
  [/x\.prototype\.forceUpdate=.*?\},/, ""],
  [/d\.state\|\|\(d\.state=\{\}\),/, ""],
  [/,d\.state=d\.__s/g, ""],
  [/b=d\.state,/, ""],
  [/(__e:function\(n),t,r,u\)\{for.*?throw/, "$1){throw"],
];

/** Of the hooks: names that server and page agree on, effects that a server leaves out, another clock, and none at all. */
const HOOKS: readonly Rule[] = [
  [/"function"==typeof requestAnimationFrame/, "!0"],
  [/a\.__=function\(n,t\)\{.*?p&&p\(n,t\)\},/, ""],
  [/!a\.__s&&/g, ""],
  [/1!=n&&i==a\.requestAnimationFrame\|\|\(\(i=a\.requestAnimationFrame\)\|\|z\)\(g\)/, "1==n&&z(g)"],
];

/** Of the signals: names and a check for developers, texts of signals, those who wait for the first reader, models, and `using`. */
const SIGNALS: readonly Rule[] = [
  [/const t=Symbol\.for\("preact-signals"\);/, ""],
  [/if\(o!==this\)throw new Error\("Out-of-order effect"\);/, ""],
  [/y\.prototype\.brand=t;/, ""],
  [/y\.prototype\.subscribe=.*?\{name:"sub"\}\)\};/, ""],
  [/y\.prototype\.(valueOf|toString|toJSON)=function\(\)\{return this\.value(\+"")?\};/g, ""],
  [/this\.[WZ]=null==i\?void 0:i\.(un)?watched;/g, ""],
  [/;this\.name=null==i\?void 0:i\.name/g, ""],
  [/else f\(\(\)=>\{var t;null==\(t=this\.W\)\|\|t\.call\(this\)\}\)/, ""],
  [/if\(void 0===n\)f\(\(\)=>\{var t;null==\(t=this\.Z\)\|\|t\.call\(this\)\}\)/, ""],
  [/const i=o,n=s;o=void 0;s=void 0;(try\{return t\(\)\}finally\{o=i);s=n\}/, "const i=o;o=void 0;$1}"],
  [/;if\(s\)s\.push\(this\)/, ""],
  [/m\.prototype\.dispose=function\(\)\{this\.d\(\)\};/, ""],
  [/const o=n\.d\.bind\(n\);o\[Symbol\.dispose\]=o;return o/, "return n.d.bind(n)"],
];

/** By the end of their path. */
const FILES: readonly (readonly [string, readonly Rule[]])[] = [
  ["/preact/dist/preact.mjs", CORE],
  ["/preact/hooks/dist/hooks.mjs", HOOKS],
  ["/signals-core/dist/signals-core.mjs", SIGNALS],
];

function lean(code: string, rules: readonly Rule[]): string {
  return rules.reduce((before, [pattern, answer]) => {
    const after = before.replace(pattern, answer);
    if (after === before) throw new Error(`Nothing in Preact matches ${String(pattern)}`);
    return after;
  }, code);
}

export function leanPreact(): Plugin {
  return {
    name: "lean-preact",
    enforce: "pre",
    transform: (code, id) => {
      const rules = FILES.find(([end]) => id.endsWith(end))?.[1];
      return rules === undefined ? null : lean(code, rules);
    },
  };
}
