import js from "@eslint/js";
import hooks from "eslint-plugin-react-hooks";
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["node_modules"] },
  js.configs.recommended,
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { "react-hooks": hooks },
    rules: {
      "react-hooks/rules-of-hooks": "error",
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/explicit-module-boundary-types": "error",
      "@typescript-eslint/no-misused-promises": ["error", { checksVoidReturn: { attributes: false } }],
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      // All text goes through JSX text nodes: names of nodes and runs are hostile input.
      "no-restricted-properties": [
        "error",
        { property: "innerHTML", message: "Use JSX." },
        { property: "outerHTML", message: "Use JSX." },
        { property: "insertAdjacentHTML", message: "Use JSX." },
      ],
      "no-restricted-syntax": [
        "error",
        { selector: "JSXAttribute[name.name='dangerouslySetInnerHTML']", message: "Use JSX text." },
      ],
      eqeqeq: "error",
      "max-lines": ["error", 400],
    },
  },
  {
    // Scripts that node runs as they are.
    files: ["**/*.js", "**/*.mjs"],
    extends: [tseslint.configs.disableTypeChecked],
    rules: { "no-undef": "off", "@typescript-eslint/explicit-module-boundary-types": "off" },
  },
);
