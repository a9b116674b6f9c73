import { app, type HttpMethod, type HttpRequest, type HttpResponseInit } from '@azure/functions';

/** Each function answers with its name and what it was called with. */
function named(name: string, route: string | undefined, methods?: string[]): void {
  app.http(name, {
    ...(route === undefined ? {} : { route }),
    ...(methods ? { methods: methods as HttpMethod[] } : {}),
    handler: (request: HttpRequest): HttpResponseInit => ({
      jsonBody: { name, method: request.method, params: request.params, url: request.url },
    }),
  });
}

// Registered against the order of names, so that only the name can decide.
named('z_catch', 'ordered/{*path}');
named('a_lit', 'ordered/literal');
named('lit', 'other/literal');
named('catchall', 'other/{*path}');
named('zetab', 'case/{id}');
named('zeta_a', 'case/one');
named('Beta', 'upper/{id}');
named('alpha', 'upper/one');

named('listed', 'verbs/list', ['LIST', 'PURGE']);
named('lowered', 'verbs/lowered', ['list']);
named('got', 'verbs/get', ['GET']);
named('traced', 'verbs/trace', ['TRACE']);
named('optioned', 'verbs/other', ['OPTIONS', 'PATCH']);
named('defaulted', 'verbs/default');
named('none', 'verbs/none', []);
named('split_a', 'verbs/split', ['GET']);
named('split_b', 'verbs/{rest}', ['POST']);

named('vault', 'v1/{*path}', ['GET', 'POST']);
named('optional', 'optional/{id?}');
named('number', 'number/{id:int}');
named('optionalNumber', 'optionalnumber/{id:int?}');
named('word', 'word/{text:alpha:length(2,4)}');
named('shape', 'shape/{name}.{extension}');
named('pattern', 'pattern/{code:regex(^[a-c]{{2}}$)}');
named('preset', 'preset/{id=seven}');

named('adminish', 'administrators/x');
named('runtimeish', 'runtime/x');
named('twin_a', 'twin', ['GET', 'POST']);
named('twin_b', 'twin', ['POST']);
named('unrouted', undefined);
