import { app, type HttpMethod, type HttpRequest, type HttpResponseInit } from '@azure/functions';

const all = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'LIST'] as HttpMethod[];

/** Says what it was called with. */
app.http('echo', {
  route: 'v1/{*path}',
  methods: all,
  handler: async (request: HttpRequest): Promise<HttpResponseInit> => ({
    jsonBody: {
      method: request.method,
      url: request.url,
      params: request.params,
      query: [...request.query],
      search: [...new URL(request.url).searchParams],
      headers: Object.fromEntries(request.headers),
      body: request.body === null ? null : Buffer.from(await request.arrayBuffer()).toString('base64'),
    },
  }),
});

app.http('size', {
  route: 'size',
  methods: ['POST'],
  handler: async (request) => ({ jsonBody: (await request.arrayBuffer()).byteLength }),
});

app.http('parsed', {
  route: 'json',
  methods: ['POST'],
  handler: async (request) => ({ jsonBody: { value: await request.json() } }),
});

app.http('principal', { route: 'principal', handler: (request) => ({ jsonBody: { user: request.user } }) });

app.http('slow', {
  route: 'slow/{milliseconds}',
  handler: async (request, context) => {
    await new Promise((resolve) => setTimeout(resolve, Number(request.params['milliseconds'])));
    context.log(`slow ${request.params['milliseconds']} is done`);
    return { body: 'done' };
  },
});

const circular: Record<string, unknown> = {};
circular['self'] = circular;

/** What a handler may return or do, by name. */
const answers: Record<string, () => unknown> = {
  json: () => ({ jsonBody: { a: 1 } }),
  'json-null': () => ({ jsonBody: null }),
  'json-typed': () => ({ jsonBody: 1, headers: { 'content-type': 'application/vnd.api+json; Charset="X"' } }),
  nothing: () => ({}),
  text: () => ({ body: 'text' }),
  bytes: () => ({ body: Buffer.from([0, 255]) }),
  'empty-text': () => ({ body: '' }),
  'no-content': () => ({ status: 204, body: 'dropped', headers: { 'x-kept': 'yes' } }),
  'not-modified': () => ({ status: 304, headers: { etag: '"1"' } }),
  null: () => null,
  undefined: () => undefined,
  string: () => 'plain',
  number: () => 5,
  circular: () => ({ jsonBody: circular }),
  bigint: () => ({ jsonBody: 1n }),
  throws: () => {
    throw Object.assign(new Error('the reason is only in the log'), { status: 418 });
  },
  'throws-null': () => {
    // eslint-disable-next-line @typescript-eslint/only-throw-error -- that is the case
    throw null;
  },
  array: () => [1, 2],
  'status-fraction': () => ({ status: 200.5 }),
  'status-472': () => ({ status: 472 }),
  'status-473': () => ({ status: 473, jsonBody: { a: 1 } }),
  'status-text': () => ({ status: '404' }),
  'status-199': () => ({ status: 199 }),
  'status-600': () => ({ status: 600 }),
  'header-newline': () => ({ headers: { x: 'a\nb' } }),
  'header-name': () => ({ headers: { 'x y': 'a' } }),
  'header-latin': () => ({ headers: { x: 'é' } }),
  'header-wide': () => ({ headers: { x: '€' } }),
  cookies: () => ({
    cookies: [
      { name: 'a', value: '1 2', path: '/p', httpOnly: true, secure: true, sameSite: 'Strict', maxAge: 60 },
      { name: 'b', value: '2', expires: new Date(0 + 1000), domain: 'host' },
    ],
  }),
  'appended-cookies': () => appended('set-cookie', 'a=1', 'b=2'),
  'appended-header': () => appended('x-twice', 'a', 'b'),
  'length-exact': () => ({ body: 'four', headers: { 'content-length': '4' } }),
  'length-long': () => ({ body: 'four', headers: { 'content-length': '9' } }),
  'length-short': () => ({ body: 'four', headers: { 'content-length': '2' } }),
  'own-coding': () => ({ body: 'raw bytes', headers: { 'transfer-encoding': 'chunked' } }),
  'own-names': () => ({ headers: { server: 'mine', date: 'Thu, 01 Jan 1970 00:00:00 GMT' } }),
  large: () => ({ body: Buffer.alloc(130 * 1024 * 1024, 'x') }),
};

function appended(name: string, ...values: string[]): HttpResponseInit {
  const headers = new Headers();
  for (const value of values) headers.append(name, value);
  return { headers };
}

app.http('answer', {
  route: 'answer/{name}',
  methods: all,
  handler: (request) => answers[request.params['name'] ?? '']?.() as HttpResponseInit,
});
