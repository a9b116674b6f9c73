import type { Invoker } from '../invoker.ts';
import type { RouteTable } from '../routing/route-table.ts';
import type { RouteValues } from '../routing/template.ts';
import { NoAnswer, type RequestHandler } from './connection.ts';
import type { HostEndpoints } from './host-endpoints.ts';
import { InvocationLost } from '../worker-process.ts';
import { fromRpcResponse, type HttpTrigger, toRpcRequest } from './http-function.ts';
import type { KeyCheck } from './keys.ts';
import { BodyIncomplete, BodyTooLarge, type RequestBody } from './request-body.ts';
import type { RequestHead } from './request-head.ts';
import type { HostResponse } from './response.ts';
import type { Throttle } from './throttle.ts';

export interface DispatcherOptions {
  hostEndpoints: HostEndpoints;
  /** undefined: the app's functions stop the whole host, which answers 503. */
  routes: RouteTable<HttpTrigger> | undefined;
  keys: KeyCheck;
  throttle: Throttle;
  invoker: Invoker;
  /** Added to every answer that doesn't set them itself. */
  customHeaders: Readonly<Record<string, string>>;
  hasHomepage: boolean;
}

const homepage = '<!DOCTYPE html><title>Functions host</title><p>Your app is up and running.</p>';

/** The way of a request through the host: own endpoints, routes, key, body, limits, function. */
export function createDispatcher(options: DispatcherOptions): RequestHandler {
  const { hostEndpoints, routes, keys, throttle, invoker, customHeaders, hasHomepage } = options;

  async function dispatch(head: RequestHead, body: RequestBody): Promise<HostResponse> {
    const own = await hostEndpoints(head, body);
    if (own) return own;
    if (!routes) return text(503, 'Function host is not running.');
    const found = routes.find(head.method, head.target.path);
    if (found) return callFunction(found.route, found.values, head, body);
    if (head.target.path !== '/') return { status: 404, headers: [] };
    return hasHomepage
      ? { status: 200, headers: [['content-type', 'text/html']], body: Buffer.from(homepage) }
      : { status: 204, headers: [] };
  }

  async function callFunction(
    route: HttpTrigger,
    values: RouteValues,
    head: RequestHead,
    body: RequestBody,
  ): Promise<HostResponse> {
    if (!keys.mayInvoke(head, route.name, route.authLevel)) return { status: 401, headers: [] };
    // No url can be made for the function.
    if (head.host === '') return { status: 500, headers: [] };
    const leave = await throttle.enter();
    if (!leave) return { status: 429, headers: [['X-FUNCTION-SCALEOUT', '1']] };
    try {
      const data = toRpcRequest(head, values, await body.read());
      const reason = 'This function was programmatically called via the host APIs.';
      return fromRpcResponse(
        await invoker.invoke(route.name, { reason, inputData: [{ name: route.bindingName, data }] }),
      );
    } catch (error) {
      if (error instanceof BodyIncomplete) throw error;
      if (error instanceof InvocationLost) throw new NoAnswer();
      return { status: 500, headers: [], closes: error instanceof BodyTooLarge };
    } finally {
      leave();
    }
  }

  return async (head, body) => {
    const response = await dispatch(head, body);
    const isSet = (name: string): boolean => response.headers.some(([one]) => one.toLowerCase() === name.toLowerCase());
    const added = Object.entries(customHeaders).filter(([name]) => !isSet(name));
    return { ...response, headers: [...response.headers, ...added] };
  };
}

function text(status: number, message: string): HostResponse {
  return { status, headers: [], body: Buffer.from(message) };
}
