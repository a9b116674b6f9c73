import dns from 'node:dns';
import { once } from 'node:events';
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { Agent, createServer, request as sendRequest, type Server } from 'node:https';
import { syncBuiltinESMExports } from 'node:module';
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { ConnectionFault, Plan, RequestFault, WireFault } from './faults.ts';

/** A request as it came to the proxy. */
export interface WireRequest {
  method: string;
  /** Of the vault, without the port. */
  host: string;
  /** Without the query. */
  path: string;
  /** JSON; undefined for none. */
  body: unknown;
}

/** How the vault itself answered. */
export interface WireAnswer {
  status: number;
  body: string;
}

export interface FaultProxyOptions {
  /** Names below this one are the vaults'. */
  domain: string;
  /** What a vault shows, one that nobody trusts, and a trusted one for other names. */
  certificates: Record<'good' | 'unknown' | 'misnamed', { privateKey: string; certificate: string }>;
  /** Sees a request that the vault is about to get. */
  before: (request: WireRequest) => Promise<void>;
  /** Told of each fault on the way to a vault, where it is known to which. */
  troubled: (host: string) => void;
  /** Told of each answer of the vault's that the client gets whole and as it was. */
  delivered: (request: WireRequest, answer: WireAnswer) => void;
}

export interface FaultProxy {
  readonly port: number;
  readonly requests: number;
  /** Faults that were suffered, by kind. */
  readonly suffered: ReadonlyMap<string, number>;
  /** Whether faults are left of the plan. */
  readonly isFaulty: boolean;
  /** From now on calls suffer this, and `upstreamPort` is where the vaults are. */
  begin(plan: Plan, upstreamPort: number): void;
  /** From now on they suffer nothing. */
  relent(): void;
  /** Waits until no request is on its way to a vault. */
  quiet(): Promise<void>;
  /** Ends all connections. */
  cut(): void;
  stop(): Promise<void>;
}

const notPassedOn = ['host', 'connection', 'content-length', 'transfer-encoding', 'keep-alive'];
const someBody = JSON.stringify({ key: { kid: 'https://v/keys/a/1' }, attributes: { enabled: true } });

/** Stands between the service and its vaults and lets connections and requests fail in every way, as planned. */
export async function startFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const { domain, certificates, before, troubled, delivered } = options;
  const agent = new Agent({ keepAlive: true, servername: 'localhost' });
  const sockets = new Set<Socket>();
  const suffered = new Map<string, number>();
  let plan: (WireFault | undefined)[] = [];
  let closesAlways = false;
  let upstreamPort = 0;
  let requests = 0;
  let forwarding = 0;
  const onQuiet: (() => void)[] = [];

  /** The next of the plan is for a request or for a connection, and waits for one. */
  function take(place: 'request'): RequestFault | undefined;
  function take(place: 'connection', kinds: readonly ConnectionFault['kind'][]): ConnectionFault | undefined;
  function take(place: WireFault['place'], kinds?: readonly string[]): WireFault | undefined {
    const [next] = plan;
    if (next === undefined) {
      if (place === 'request') plan.shift();
      return undefined;
    }
    if (next.place !== place || kinds?.includes(next.kind) === false) return undefined;
    plan.shift();
    suffered.set(next.kind, (suffered.get(next.kind) ?? 0) + 1);
    return next;
  }

  const serverWith = ({ privateKey: key, certificate: cert }: (typeof certificates)['good']): Server => {
    const server = createServer({ key, cert, keepAliveTimeout: 120_000 }, (request, response) => {
      serve(request, response).catch(() => request.socket.destroy());
    });
    server.on('tlsClientError', () => undefined);
    return server;
  };
  const servers = {
    good: serverWith(certificates.good),
    unknown: serverWith(certificates.unknown),
    misnamed: serverWith(certificates.misnamed),
  };

  const front = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    const fault = take('connection', [
      ...(['reset in the handshake', 'silent handshake', 'unknown authority', 'name of another host'] as const),
    ]);
    switch (fault?.kind) {
      case 'reset in the handshake':
        return void socket.once('data', () => socket.resetAndDestroy());
      case 'silent handshake':
        return void socket.resume();
      case 'unknown authority':
        return void servers.unknown.emit('connection', socket);
      case 'name of another host':
        return void servers.misnamed.emit('connection', socket);
      default:
        servers.good.emit('connection', socket);
    }
  });
  front.listen(0, '127.0.0.1');
  await once(front, 'listening');

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    requests++;
    const fault = take('request');
    const body = await buffer(request);
    const seen: WireRequest = {
      method: request.method ?? '',
      host: (request.headers.host ?? '').replace(/:\d+$/, ''),
      path: new URL(request.url ?? '/', 'https://vault').pathname,
      body: body.length === 0 ? undefined : (JSON.parse(body.toString()) as unknown),
    };
    if (fault !== undefined) troubled(seen.host);
    const answer = fault?.passedOn === false ? undefined : await passOn(request, seen, body);
    if (closesAlways) response.setHeader('connection', 'close');
    if (fault === undefined) {
      if (answer === undefined) return void request.socket.destroy();
      // Told before it is sent: whoever gets it acts on it at once.
      delivered(seen, { status: answer.status, body: answer.body.toString() });
      response.writeHead(answer.status, answer.headers);
      response.end(answer.body);
      return;
    }
    switch (fault.how) {
      case 'reset':
        return void request.socket.destroy();
      case 'silence':
        return;
      case 'half': {
        const whole = answer === undefined || answer.body.length === 0 ? Buffer.from(someBody) : answer.body;
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': whole.length });
        response.write(whole.subarray(0, whole.length >> 1), () => request.socket.destroy());
        return;
      }
      default: {
        const { status, headers, body: given } = fault.how;
        response.writeHead(status, {
          ...headers,
          ...(status !== 204 && { 'content-length': Buffer.byteLength(given) }),
        });
        response.end(given);
      }
    }
  }

  interface PassedOn {
    status: number;
    headers: OutgoingHttpHeaders;
    body: Buffer;
  }

  async function passOn(request: IncomingMessage, seen: WireRequest, body: Buffer): Promise<PassedOn> {
    forwarding++;
    try {
      await before(seen);
      return await send(request, body);
    } finally {
      forwarding--;
      if (forwarding === 0) for (const tell of onQuiet.splice(0)) tell();
    }
  }

  function send({ method, url, headers }: IncomingMessage, body: Buffer): Promise<PassedOn> {
    return new Promise((resolve, reject) => {
      const upstream = sendRequest(
        {
          ...{ host: '127.0.0.1', port: upstreamPort, method, path: url, agent },
          headers: { ...headers, 'content-length': body.length },
        },
        (reply) => {
          buffer(reply).then((content) => {
            const kept = Object.entries(reply.headers).filter(([name]) => !notPassedOn.includes(name));
            resolve({
              status: reply.statusCode ?? 0,
              headers: { ...Object.fromEntries(kept), 'content-length': content.length },
              body: content,
            });
          }, reject);
        },
      );
      upstream.on('error', reject);
      upstream.end(body);
    });
  }

  const restoreLookup = interceptLookup((name) => {
    if (!name.endsWith(`.${domain}`)) return undefined;
    const fault = take('connection', ['ENOTFOUND', 'EAI_AGAIN', 'ECONNREFUSED']);
    if (fault !== undefined) troubled(name);
    // There, nobody listens.
    return fault?.kind === 'ECONNREFUSED'
      ? { address: '127.0.0.2' }
      : ((fault && { code: fault.kind }) ?? { address: '127.0.0.1' });
  });

  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (front.address() as AddressInfo).port,
    get requests() {
      return requests;
    },
    get isFaulty() {
      return plan.length > 0;
    },
    suffered,
    begin(given, port) {
      plan = [...given];
      upstreamPort = port;
      closesAlways = given.some((fault) => fault?.place === 'connection');
    },
    relent: () => void (plan = []),
    quiet: () => new Promise((resolve) => (forwarding === 0 ? resolve() : onQuiet.push(resolve))),
    cut,
    async stop() {
      restoreLookup();
      const closed = once(front, 'close');
      front.close();
      cut();
      agent.destroy();
      await closed;
    },
  };
}

type Resolved = { code: string } | { address: string };

/** @param resolve undefined for names that are none of ours */
function interceptLookup(resolve: (name: string) => Resolved | undefined): () => void {
  const before = dns.lookup;
  type Callback = (error: Error | null, address?: unknown, family?: number) => void;
  const lookup = (name: string, given: { all?: boolean } | Callback, callback: Callback = given as Callback) => {
    const resolved = resolve(name);
    if (resolved === undefined) return before(name, given as dns.LookupAllOptions, callback);
    if ('code' in resolved) {
      const error = Object.assign(new Error(`getaddrinfo ${resolved.code} ${name}`), { code: resolved.code });
      return void process.nextTick(callback, error);
    }
    const { address } = resolved;
    const all = typeof given === 'object' && given.all === true;
    process.nextTick(callback, null, ...(all ? [[{ address, family: 4 }]] : [address, 4]));
  };
  const replace = (one: unknown) => {
    Object.assign(dns, { lookup: one });
    syncBuiltinESMExports();
  };
  replace(lookup);
  return () => replace(before);
}
