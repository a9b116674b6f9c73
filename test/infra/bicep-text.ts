import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

const root = join(import.meta.dirname, '..', '..');

/** @param path relative to the repository */
export function readText(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

export function readJson(path: string): unknown {
  return JSON.parse(readText(path));
}

export interface BicepFile {
  /** Relative to the repository. */
  path: string;
  /** Without comments. */
  text: string;
}

export function readBicepFiles(): BicepFile[] {
  return readdirSync(join(root, 'infra'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.bicep'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .map((path) => ({ path, text: readText(path).replaceAll(/^\s*\/\/.*$/gm, '') }));
}

export interface BicepResource {
  file: string;
  symbol: string;
  type: string;
  apiVersion: string;
  isExisting: boolean;
  body: string;
}

/** The resources declared at the top level of a file. */
export function resourcesOf({ path, text }: BicepFile): BicepResource[] {
  const heads = text.matchAll(/^resource (\w+) '([\w./]+)@([\w-]+)' (existing )?= (?:if \(\w+\) )?\{/gm);
  return [...heads].map((head) => ({
    file: path,
    symbol: head[1]!,
    type: head[2]!,
    apiVersion: head[3]!,
    isExisting: head[4] !== undefined,
    body: braced(text, head.index + head[0].length - 1),
  }));
}

/** @returns the block that opens at the first `{` after `start`, without its braces */
export function blockAfter(text: string, start: string): string {
  const index = text.indexOf(start);
  if (index < 0) throw new Error(`no such block: ${start}`);
  return braced(text, text.indexOf('{', index));
}

/** @returns the simple properties of a block's first level: name to value as written, without quotes */
export function propertiesOf(block: string): Record<string, string> {
  const lines = block.split('\n').filter((line) => line.trim() !== '');
  const indent = /^ */.exec(lines[0] ?? '')?.[0] ?? '';
  return Object.fromEntries(
    lines.flatMap((line) => {
      const match = new RegExp(`^${indent}(\\w+): (.*)$`).exec(line);
      return match === null ? [] : [[match[1]!, match[2]!.replaceAll(/^'|'$/g, '')]];
    }),
  );
}

function braced(text: string, open: number): string {
  let depth = 0;
  for (let index = open; index < text.length; index++) {
    if (text[index] === '{') depth++;
    if (text[index] === '}' && --depth === 0) return text.slice(open + 1, index);
  }
  throw new Error('a block never closes');
}
