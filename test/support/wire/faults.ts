import fc from 'fast-check';

/** What a name, or a connection to it, comes to. Nothing is sent. */
export interface ConnectionFault {
  place: 'connection';
  kind:
    /** The name isn't known. */
    | 'ENOTFOUND'
    /** Nobody says whether it is. */
    | 'EAI_AGAIN'
    /** Nobody listens. */
    | 'ECONNREFUSED'
    /** The connection is reset within the handshake. */
    | 'reset in the handshake'
    /** It is made, and nothing comes. */
    | 'silent handshake'
    /** A certificate that nobody vouches for. */
    | 'unknown authority'
    /** A good certificate for other names. */
    | 'name of another host';
}

/** What a request comes to. */
export interface RequestFault {
  place: 'request';
  kind: string;
  /** Whether the vault gets it, and so does what it says. */
  passedOn: boolean;
  /** `half`: of the vault's own answer, or of some other. `silence`: no answer until the client goes away. */
  how: 'reset' | 'half' | 'silence' | GivenAnswer;
}

export type WireFault = ConnectionFault | RequestFault;

/** Given in the place of the vault's own. */
export interface GivenAnswer {
  status: number;
  body: string;
  headers: Record<string, string>;
}

const json = { 'content-type': 'application/json; charset=utf-8' };
const html = { 'content-type': 'text/html' };
const page =
  '<!DOCTYPE html><html><head><title>Gateway</title></head><body><h1>Not what you asked for</h1></body></html>';
const keyVaultError = (code: string, inner?: string) =>
  JSON.stringify({ error: { code, message: 'injected', ...(inner !== undefined && { innererror: { code: inner } }) } });

type Draw = fc.Arbitrary<WireFault>;

const request = (kind: string, how: RequestFault['how'], passedOn: boolean): RequestFault => ({
  ...{ place: 'request', kind, passedOn, how },
});

/** Not known to have had no effect: both are tried. */
const unsure = (kind: string, how: fc.Arbitrary<RequestFault['how']>): Draw =>
  fc.tuple(how, fc.boolean()).map(([given, passedOn]) => request(kind, given, passedOn));

/** Sure to have had none. */
const refused = (kind: string, how: fc.Arbitrary<RequestFault['how']>): Draw =>
  how.map((given) => request(kind, given, false));

const answer = (status: number, body: string, headers: Record<string, string>): GivenAnswer => ({
  ...{ status, body, headers },
});

const strangeBodies = [
  ...['{}', '[]', 'null', '"ok"', '42', '{"hello":"world"}', '{"value":[]}', '{"value":null}', '{"value":[{}]}'],
  ...['{"key":{}}', '{"key":{"kid":"not a url"}}', '{"error":{"code":"KeyNotFound","message":"injected"}}'],
  ...['{"key":{"kid":"https://v.vault.faults.localhost/keys/a/0123456789abcdef0123456789abcdef"},"attributes":{}}'],
  ...['{"kid":"https://v.vault.faults.localhost/keys/a","attributes":{"enabled":true}}', '{"key":'],
];

const absurdWaits = ['0', '1', '-5', 'soon', '', '999999999', '1e400', 'Fri, 31 Dec 9999 23:59:59 GMT', 'NaN'];

const challenge = {
  'www-authenticate':
    'Bearer authorization="https://login.localhost/tenant", resource="https://vault.faults.localhost"',
};
const foreignChallenge = {
  'www-authenticate': 'Bearer authorization="https://login.localhost/tenant", resource="https://elsewhere.example"',
};

const requestFaults: Draw = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.constantFrom(500, 502, 503, 504), fc.boolean(), fc.constantFrom(undefined, '1', '999999999'))
      .chain(([status, isHtml, wait]) => {
        const headers = { ...(isHtml ? html : json), ...(wait !== undefined && { 'retry-after': wait }) };
        const body = isHtml ? page : keyVaultError('InternalServerError');
        return unsure(String(status), fc.constant(answer(status, body, headers)));
      }),
  },
  { weight: 3, arbitrary: unsure('reset', fc.constant('reset' as const)) },
  { weight: 3, arbitrary: unsure('half a body', fc.constant('half' as const)) },
  { weight: 1, arbitrary: unsure('silence', fc.constant('silence' as const)) },
  { weight: 2, arbitrary: unsure('HTML with 200', fc.constant(answer(200, page, html))) },
  { weight: 1, arbitrary: unsure('HTML said to be JSON', fc.constant(answer(200, page, json))) },
  {
    weight: 1,
    arbitrary: unsure('JSON said to be text', fc.constant(answer(200, '{"a":1}', { 'content-type': 'text/plain' }))),
  },
  {
    weight: 2,
    arbitrary: unsure(
      'HTML with 4xx',
      fc.constantFrom(400, 404, 404, 404, 405, 408, 409, 413).map((status) => answer(status, page, html)),
    ),
  },
  {
    weight: 3,
    arbitrary: unsure(
      '404 that is not the vault’s',
      fc
        .constantFrom(
          ...['', '{}', '{"message":"no route"}', '{"error":"not found"}', '{"error":{"code":404}}'],
          ...[
            keyVaultError('ResourceNotFound'),
            keyVaultError('NotFound'),
            '{"statusCode":404,"message":"Resource not found"}',
          ],
        )
        .map((body) => answer(404, body, json)),
    ),
  },
  {
    weight: 2,
    arbitrary: unsure(
      'empty body',
      fc.constantFrom(200, 204).map((status) => answer(status, '', json)),
    ),
  },
  {
    weight: 4,
    arbitrary: unsure(
      'JSON of another shape',
      fc.constantFrom(...strangeBodies).map((body) => answer(200, body, json)),
    ),
  },
  {
    weight: 2,
    arbitrary: refused(
      '429',
      fc
        .constantFrom(undefined, ...absurdWaits)
        .map((wait) =>
          answer(429, keyVaultError('Throttled'), { ...json, ...(wait !== undefined && { 'retry-after': wait }) }),
        ),
    ),
  },
  {
    weight: 3,
    arbitrary: refused(
      '401',
      fc
        .constantFrom({}, challenge, challenge, foreignChallenge, { 'www-authenticate': 'Bearer' })
        .map((headers) => answer(401, keyVaultError('Unauthorized'), { ...json, ...headers })),
    ),
  },
  {
    weight: 3,
    arbitrary: refused(
      '403',
      fc.constantFrom(
        answer(403, keyVaultError('Forbidden', 'ForbiddenByPolicy'), json),
        answer(403, keyVaultError('Forbidden', 'ForbiddenByFirewall'), json),
        answer(403, page, html),
      ),
    ),
  },
);

const connectionFaults: Draw = fc
  .constantFrom<ConnectionFault['kind'][]>(
    ...(['ENOTFOUND', 'EAI_AGAIN', 'ECONNREFUSED', 'reset in the handshake', 'silent handshake'] as const),
    ...(['unknown authority', 'name of another host', 'ENOTFOUND', 'unknown authority'] as const),
  )
  .map((kind) => ({ place: 'connection', kind }));

/** What becomes of calls, one after the other; those that come later are left alone. */
export type Plan = readonly (WireFault | undefined)[];

/** Some calls that get through, then some that suffer the same, and again. */
export const plans: fc.Arbitrary<Plan> = fc
  .array(
    fc.record({
      spared: fc.nat({ max: 5 }),
      fault: fc.oneof({ weight: 4, arbitrary: requestFaults }, { weight: 1, arbitrary: connectionFaults }),
      // A read is repeated twice, and then it has failed.
      times: fc.constantFrom(1, 1, 2, 3, 3, 6),
    }),
    { minLength: 1, maxLength: 8 },
  )
  .map((parts) =>
    parts.flatMap(({ spared, fault, times }) => [
      ...Array.from({ length: spared }, () => undefined),
      ...Array.from({ length: times }, () => fault),
    ]),
  );
