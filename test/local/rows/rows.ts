import { readFile } from 'node:fs/promises';
import { z } from 'zod';

/** A fact that a stand-in is held to, in one sentence. */
export interface Row {
  /** Stays the same for good: `KV-2.1.3`. */
  id: string;
  fact: string;
  /** `<folder below test/local>: <full name of a test>`; the name as in the source, or one of its cases. */
  tests?: readonly string[] | undefined;
  /** Why there is no test. */
  notDone?: string | undefined;
}

export interface Section {
  id: string;
  title: string;
  rows: readonly Row[];
}

const parts = [
  { title: 'Key Vault', file: 'key-vault.json' },
  { title: 'Service Bus', file: 'service-bus.json' },
  { title: 'The Functions host', file: 'functions-host.json' },
];

const row = z
  .strictObject({
    id: z.string(),
    fact: z.string().min(1),
    tests: z.array(z.string()).min(1).optional(),
    notDone: z.string().min(1).optional(),
  })
  .refine(({ tests, notDone }) => (tests === undefined) !== (notDone === undefined), 'either tests or notDone');

const schema = z
  .array(
    z
      .strictObject({ id: z.string(), title: z.string(), rows: z.array(row) })
      .refine(
        ({ id, rows }) => rows.every((one) => one.id.startsWith(`${id}.`)),
        'a row has another id than its section',
      ),
  )
  .refine((sections) => {
    const ids = sections.flatMap(({ rows }) => rows.map(({ id }) => id));
    return new Set(ids).size === ids.length;
  }, 'two rows have one id');

export interface Part {
  title: string;
  sections: readonly Section[];
}

/** @throws Error if a file of rows is not as it should be */
export async function readRows(): Promise<Part[]> {
  return Promise.all(
    parts.map(async ({ title, file }) => {
      const text = await readFile(new URL(file, import.meta.url), 'utf8');
      return { title, sections: schema.parse(JSON.parse(text)) };
    }),
  );
}
