import js from "@eslint/js";
import globals from "globals";

const rules = {
  eqeqeq: ["error", "always", { null: "ignore" }],
  "no-control-regex": "off", // control characters are what some of them are for
  "no-undef": "off", // TypeScript knows the names of all scripts of a page, this looks at one alone
  "no-unused-vars": "off", // the same
  "no-var": "error",
  "prefer-const": "error",
};

export default [
  js.configs.recommended,
  { files: ["inverse_instruct/**/*.js"], languageOptions: { sourceType: "script", globals: globals.browser }, rules },
  { files: ["evaluation/**/*.js"], languageOptions: { sourceType: "commonjs", globals: globals.node }, rules },
];
