import fc from 'fast-check';

/** The body of a message, as AMQP has it. */
export type PoisonBody = { type: 'data'; bytes: Buffer } | { type: 'value' | 'sequence'; value: unknown };

/** A message that is not ours, and by which kind of malice or mistake. */
export interface Poison extends fc.WithToStringMethod {
  kind: string;
  body: PoisonBody;
  contentType: string | undefined;
}

/** Of a message on the Standard tier, which counts the rest of the message too. */
const mostBytes = 256 * 1024 - 1024;

const name = fc.stringMatching(/^[A-Za-z0-9_]{1,12}$/);
const reference = fc.record({ mount: name, key: name, provider: name });
const oddName = fc.oneof(
  fc.constantFrom('', ' ', '.', '-', 'a/b', '../a', 'a#b', 'a\u0000b', '\ud800', 'é', 'a b', '__proto__/x', "a'b"),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }),
  fc.integer({ min: 513, max: 100_000 }).map((length) => 'n'.repeat(length)),
);
const oddValue = fc.oneof(
  fc.constantFrom(null, true, 0, -1, 1e308, [], {}, [['a']], { toString: 'a' }, { length: 3 }),
  fc.jsonValue({ maxDepth: 3 }).filter((value) => typeof value !== 'string'),
);

const data = (bytes: Buffer | string): PoisonBody => ({
  type: 'data',
  bytes: Buffer.from(bytes).subarray(0, mostBytes),
});
const json = (value: unknown): PoisonBody => data(JSON.stringify(value) ?? '');
const wakeUpText = (value: unknown) => JSON.stringify({ wakeUp: value });

const kinds: Record<string, fc.Arbitrary<PoisonBody>> = {
  'any JSON': fc.jsonValue({ maxDepth: 6 }).map(json),
  'any text': fc.string({ unit: 'binary', maxLength: 300 }).map(data),
  'any bytes': fc.uint8Array({ maxLength: 2000 }).map((bytes) => data(Buffer.from(bytes))),
  'a field missing': fc
    .tuple(reference, fc.constantFrom('mount', 'key', 'provider'))
    .map(([whole, missing]) => json({ wakeUp: { ...whole, [missing]: undefined } })),
  'a field of another type': fc
    .tuple(reference, fc.constantFrom('mount', 'key', 'provider'), oddValue)
    .map(([whole, field, value]) => json({ wakeUp: { ...whole, [field]: value } })),
  'a field that is no name': fc
    .tuple(reference, fc.constantFrom('mount', 'key', 'provider'), oddName)
    .map(([whole, field, value]) => json({ wakeUp: { ...whole, [field]: value } })),
  'a field too many': fc
    .tuple(reference, fc.constantFrom('action', 'version', 'constructor', '', 'Key', 'toString'), fc.jsonValue())
    .map(([whole, field, value]) =>
      data(`{"wakeUp":${JSON.stringify(whole).slice(0, -1)},${JSON.stringify(field)}:${JSON.stringify(value)}}}`),
    ),
  'an unknown version': fc
    .tuple(reference, fc.constantFrom('version', 'v', 'schema', 'wakeUp2'), fc.oneof(fc.nat(), fc.string()))
    .map(([whole, field, value]) => json({ [field]: value, wakeUp: whole })),
  'another kind': fc
    .tuple(reference, fc.constantFrom('WakeUp', 'wakeup', 'sleep', 'wakeUps', 'delete', 'wakeUp '))
    .map(([whole, kind]) => json({ [kind]: whole })),
  'both kinds at once': reference.map(({ mount, key, provider }) =>
    json({ wakeUp: { mount, key, provider }, check: { mount, provider } }),
  ),
  'the fields of one kind in the other': fc
    .tuple(reference, fc.boolean())
    .map(([{ mount, key, provider }, isCheck]) =>
      json(isCheck ? { check: { mount, key, provider } } : { wakeUp: { mount, provider } }),
    ),
  'one level too high': reference.map(json),
  'a list of ours': fc.array(reference, { maxLength: 5 }).map((all) => json(all.map((wakeUp) => ({ wakeUp })))),
  'ours within a text': reference.map((whole) => json(wakeUpText(whole))),
  __proto__: fc
    .tuple(reference, fc.constantFrom('__proto__', 'constructor', 'prototype'), fc.boolean())
    .map(([whole, field, outside]) =>
      outside
        ? data(`{"${field}":{"polluted":1},"wakeUp":${JSON.stringify(whole)}}`)
        : data(`{"wakeUp":{"${field}":{"polluted":1},${JSON.stringify(whole).slice(1)}}`),
    ),
  'all by __proto__': reference.map((whole) => data(`{"__proto__":${wakeUpText(whole)}}`)),
  'deep nesting': fc
    .tuple(
      fc.integer({ min: 100, max: 60_000 }),
      fc.constantFrom('[', '{"a":', '{"wakeUp":', '{"wakeUp":['),
      fc.boolean(),
    )
    .map(([depth, open, closed]) => {
      const close = [...open]
        .reverse()
        .map((letter) => ({ '[': ']', '{': '}' })[letter] ?? '')
        .join('');
      const levels = Math.min(depth, Math.floor(mostBytes / (open.length + close.length)) - 1);
      return data(`${open.repeat(levels)}1${closed ? close.repeat(levels) : ''}`);
    }),
  'huge numbers': fc
    .tuple(reference, fc.constantFrom('1e400', '-1e400', '9'.repeat(5000), '0.'.padEnd(5000, '3'), '1E-400', '-0'))
    .map(([whole, number]) =>
      data(`{"wakeUp":{"mount":${number},"key":"${whole.key}","provider":"${whole.provider}"}}`),
    ),
  'as large as can be': fc.tuple(reference, fc.constantFrom('text', 'key', 'many')).map(([whole, which]) => {
    if (which === 'text') return data('x'.repeat(mostBytes));
    if (which === 'key') return json({ wakeUp: { ...whole, key: 'k'.repeat(mostBytes - 500) } });
    return json(Object.fromEntries(Array.from({ length: 12_000 }, (_, index) => [`field-${index}`, index])));
  }),
  'invalid UTF-8': fc
    .tuple(reference, fc.nat(), fc.integer({ min: 0x80, max: 0xff }), fc.integer({ min: 1, max: 4 }))
    .map(([whole, at, byte, times]) => {
      const bytes = Buffer.from(wakeUpText(whole));
      // Into a name and not into what surrounds it, where it would be no JSON in any case.
      const start = bytes.indexOf(whole.key, bytes.indexOf('"key"') + 6);
      const position = start + (at % whole.key.length);
      return data(Buffer.concat([bytes.subarray(0, position), Buffer.alloc(times, byte), bytes.subarray(position)]));
    }),
  'cut short or with something behind': fc.tuple(reference, fc.nat(), fc.boolean()).map(([whole, at, cut]) => {
    const text = wakeUpText(whole);
    return data(cut ? text.slice(0, at % text.length) : `${text}${'}, \u0000;'.charAt(at % 5)}x`);
  }),
  'another encoding': fc
    .tuple(reference, fc.constantFrom<BufferEncoding>('utf16le', 'base64', 'hex'))
    .map(([whole, encoding]) =>
      encoding === 'utf16le'
        ? data(Buffer.from(wakeUpText(whole), 'utf16le'))
        : data(Buffer.from(wakeUpText(whole)).toString(encoding)),
    ),
  // The client that sends these can't write whole numbers beyond 64 bits.
  'an AMQP value': fc
    .oneof(
      fc.constantFrom<unknown>(null, true, 1, -1.5, '', 'text', [], {}),
      fc.string(),
      fc.object({ maxDepth: 2, values: [fc.string(), fc.boolean(), fc.integer(), fc.constant(null)] }),
    )
    .map((value) => ({ type: 'value' as const, value })),
  'an AMQP sequence': fc
    .array(fc.array(fc.oneof(fc.nat({ max: 1000 }), fc.string()), { maxLength: 3 }), { minLength: 1, maxLength: 3 })
    .map((value) => ({ type: 'sequence' as const, value })),
};

const contentType = fc.constantFrom(
  undefined,
  'application/json',
  'application/xml',
  'application/cloudevents+json',
  'text/html; charset=utf-16',
  'application/octet-stream',
  '',
  'x'.repeat(120),
);

export const poison: fc.Arbitrary<Poison> = fc
  .constantFrom(...Object.keys(kinds))
  .chain((kind) => fc.record({ kind: fc.constant(kind), body: kinds[kind] as fc.Arbitrary<PoisonBody>, contentType }))
  .filter(({ body }) => !isOurs(body))
  .map((one) => ({ ...one, [fc.toStringMethod]: () => `${one.kind}: ${startOf(one.body)}` }));

/** As much as one wants to see of it when it was not refused. */
function startOf(body: PoisonBody): string {
  if (body.type !== 'data') return `${body.type} ${fc.stringify(body.value).slice(0, 300)}`;
  return `${body.bytes.length} bytes ${body.bytes.toString('latin1', 0, 300)}`;
}

/** By a reading of its own, so that what is under test doesn't choose what it is tested with. */
function isOurs(body: PoisonBody): boolean {
  if (body.type !== 'data') return false;
  try {
    const whole = JSON.parse(body.bytes.toString()) as Record<string, Record<string, unknown>>;
    const [kind = '', ...others] = Object.keys(whole);
    const fields = whole[kind] ?? {};
    const names = { wakeUp: 'key,mount,provider', check: 'mount,provider' }[kind];
    return (
      others.length === 0 &&
      Object.keys(fields).toSorted().join() === names &&
      Object.values(fields).every((value) => typeof value === 'string' && /^[A-Za-z0-9_][\w.-]*$/.test(value))
    );
  } catch {
    return false;
  }
}
