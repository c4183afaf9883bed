// JSON Schemas of the types that files of TypeScript export, by ts-json-schema-generator of the
// project in whose root this runs: `node --input-type=module --eval THIS -- FILE...`.
//
// Writes one JSON document: `{ sources: [{ path, sha256 }], made: [{ file, text }] }`, where a text
// is that of a module with the schemas, and a hash that of a source as it was read; or `{ problems: ["file:line:column: …"] }`. Paths are as seen from
// the root.

import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { basename, relative, resolve } from "node:path";

const root = process.cwd();
const projects = createRequire(resolve(root, "package.json"));
const found = projects.resolve("ts-json-schema-generator");
const { BaseError, createFormatter, createParser, DEFAULT_CONFIG, SchemaGenerator } = projects(found);
// The one that the generator works with: TypeScript 7 has no compiler for programs to call.
const ts = createRequire(found)("typescript");

const problems = [];
const files = process.argv.slice(1);
const program = ts.createProgram(
  files.map((file) => resolve(root, file)),
  {
    target: ts.ScriptTarget.ESNext,
    lib: ["lib.esnext.d.ts"],
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    allowImportingTsExtensions: true,
    resolveJsonModule: true,
    strict: true,
    skipLibCheck: true,
    noEmit: true,
    types: [],
    // Packages are where the project sees them, on every machine.
    preserveSymlinks: true,
  },
);
const checker = program.getTypeChecker();
const config = {
  ...DEFAULT_CONFIG,
  topRef: false,
  sortProps: false,
  // As TypeScript has it: an object may have more members than its type names.
  additionalProperties: true,
  extraTags: ["additionalProperties"],
};

/** What is wrong at a node, in words for people. */
class Unfit extends BaseError {
  constructor(node, messageText) {
    super({ code: 0, node, messageText });
  }
}

/** Refuses what no JSON has, which the generator would leave out or take for something else. */
const unfit = {
  supportsNode: (node) => reasonAgainst(node) !== undefined,
  createType(node) {
    throw new Unfit(...reasonAgainst(node));
  },
};

function reasonAgainst(node) {
  switch (node.kind) {
    case ts.SyntaxKind.FunctionType:
    case ts.SyntaxKind.ConstructorType:
      return [node, "a function is nothing that JSON has"];
    case ts.SyntaxKind.BigIntKeyword:
      return [node, "`bigint` is nothing that JSON has; a handler would be given a `number`"];
    case ts.SyntaxKind.SymbolKeyword:
      return [node, "`symbol` is nothing that JSON has"];
    case ts.SyntaxKind.InterfaceDeclaration:
    case ts.SyntaxKind.ClassDeclaration:
    case ts.SyntaxKind.TypeLiteral: {
      const method = node.members.find(
        (member) =>
          ts.isMethodSignature(member) ||
          ts.isMethodDeclaration(member) ||
          ts.isCallSignatureDeclaration(member) ||
          ts.isConstructSignatureDeclaration(member),
      );
      return method && [method, "a function is nothing that JSON has"];
    }
    case ts.SyntaxKind.TypeReference:
      return reasonAgainstReference(node);
    default:
      return undefined;
  }
}

function reasonAgainstReference(node) {
  const symbol = checker.getSymbolAtLocation(node.typeName);
  const ofLanguage = symbol?.declarations?.some(
    (it) => ts.isInterfaceDeclaration(it) && program.isSourceFileDefaultLibrary(it.getSourceFile()),
  );
  if (!ofLanguage || ["Array", "ReadonlyArray"].includes(symbol.name)) return undefined;
  const instead =
    symbol.name === "Date" ? "; a handler would be given a `string`, which may have `@format date-time`" : "";
  return [node, `\`${symbol.name}\` is nothing that JSON has${instead}`];
}

function placeOf(file, start) {
  const { line, character } = file.getLineAndCharacterOfPosition(start);
  return `${relative(root, file.fileName)}:${line + 1}:${character + 1}`;
}

/** The types that a file exports, by name. Generic ones are types only with their arguments. */
function exportsOf(file) {
  const module = checker.getSymbolAtLocation(file);
  const exported = module === undefined ? [] : checker.getExportsOfModule(module);
  return exported.flatMap((symbol) => {
    const isAlias = (symbol.flags & ts.SymbolFlags.Alias) !== 0;
    const { declarations = [] } = isAlias ? checker.getAliasedSymbol(symbol) : symbol;
    const node = declarations.find(
      (it) => ts.isInterfaceDeclaration(it) || ts.isTypeAliasDeclaration(it) || ts.isEnumDeclaration(it),
    );
    const isWhole = node !== undefined && !node.typeParameters?.length && symbol.name !== "default";
    return isWhole ? [{ name: symbol.name, node }] : [];
  });
}

/** The schema of a type, with all that it refers to in it. */
function schemaOf({ name, node }) {
  const parser = createParser(program, { ...config, type: name }, (all) => all.addNodeParser(unfit));
  const generator = new SchemaGenerator(program, parser, createFormatter(config), config);
  const { definitions = {}, ...schema } = generator.createSchemaFromNodes([node]);
  if (Object.keys(definitions).length === 0) return schema;
  // `Page<Order>` is a name that a reference cannot have as it is.
  const plain = (key) => key.replace(/[^A-Za-z0-9_.-]+/g, "-").replace(/-+$/, "");
  const known = new Map(
    Object.keys(definitions).map((key) => [
      `#/definitions/${encodeURIComponent(key)}`,
      `#/definitions/${plain(key)}`,
    ]),
  );
  const rewrite = (part) => {
    if (Array.isArray(part)) return part.map(rewrite);
    if (typeof part !== "object" || part === null) return part;
    const { $ref, ...rest } = part;
    const others = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, rewrite(value)]));
    if (typeof $ref !== "string") return $ref === undefined ? others : { $ref: rewrite($ref), ...others };
    const reference = { $ref: known.get($ref) ?? $ref };
    // What stands beside a reference says nothing in this version of JSON Schema.
    return Object.keys(others).length === 0 ? reference : { allOf: [reference], ...others };
  };
  const named = Object.entries(definitions).map(([key, value]) => [plain(key), rewrite(value)]);
  const { $schema, ...rest } = schema;
  return { $schema, ...rewrite(rest), definitions: Object.fromEntries(named) };
}

/** What is wrong with a file as it is: the generator takes a type that is not there for any. */
function errorsIn(file) {
  const found = [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)];
  return found.map(({ file: at = file, start = 0, messageText }) => {
    return `${placeOf(at, start)}: ${ts.flattenDiagnosticMessageText(messageText, " ")}`;
  });
}

/** The module with the schemas of a file: each type, and a constant of the same name. */
function moduleOf(name) {
  const file = program.getSourceFile(resolve(root, name));
  const errors = errorsIn(file);
  problems.push(...errors);
  if (errors.length > 0) return "";
  const exported = exportsOf(file);
  if (exported.length === 0) problems.push(`${name}: it exports no type`);
  const specifier = `./${basename(name).replace(/(\.d)?\.(m|c)?tsx?$/, ".$2js")}`;
  const parts = [`import type * as types from "${specifier}";\n`];
  for (const { name, node } of exported) {
    try {
      const schema = schemaOf({ name, node });
      const about = schema.description?.replaceAll("*/", "* /").replaceAll("\n", "\n * ");
      if (about) parts.push(about.includes("\n") ? `/**\n * ${about}\n */` : `/** ${about} */`);
      parts.push(`export type ${name} = types.${name};`);
      parts.push(`export const ${name} = ${JSON.stringify(schema, null, 2)};\n`);
    } catch (error) {
      const { file: at, start } = error.diagnostic ?? {};
      const place = at ? placeOf(at, start) : placeOf(node.getSourceFile(), node.getStart());
      const what = error instanceof Unfit ? "" : `the type \`${name}\` makes no schema: `;
      problems.push(`${place}: ${what}${error.message}`);
    }
  }
  return parts.join("\n");
}

const made = files.map((file) => ({ file, text: moduleOf(file) }));
const sources = program.getSourceFiles().filter((file) => !program.isSourceFileDefaultLibrary(file));
const read = sources.map((file) => ({
  path: relative(root, file.fileName),
  sha256: createHash("sha256").update(file.text).digest("hex"),
}));
const told = { sources: read, made };
process.stdout.write(JSON.stringify(problems.length === 0 ? told : { problems: [...new Set(problems)] }));
